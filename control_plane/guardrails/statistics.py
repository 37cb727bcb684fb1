"""How sure we may be of a rate from so few labels: an exact one-sided bound, of + - * / only."""

CONFIDENCE = 0.95


def chance_of_at_most(false: int, labels: int, rate: float) -> float:
    """The chance to see no more than `false` among `labels` when the true rate is `rate`."""
    chance = 1.0
    for _ in range(labels):
        chance *= 1.0 - rate
    total = chance
    for seen in range(false):
        chance = chance * (labels - seen) / (seen + 1) * rate / (1.0 - rate)
        total += chance
    return min(total, 1.0)


def upper_bound(false: int, labels: int) -> float:
    """The largest false-positive rate that these labels do not speak against (Clopper-Pearson, one-sided, 95 %)."""
    if false >= labels:
        return 1.0
    low, high = 0.0, 1.0 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        if chance_of_at_most(false, labels, middle) > 1.0 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def labels_needed(false: int, target: float) -> int:
    """How many labels it takes in all, when `false` of them are false positives."""
    needed = false + 1
    while chance_of_at_most(false, needed, target) > 1.0 - CONFIDENCE:
        needed += 1
    return needed
