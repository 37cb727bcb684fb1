"""A runtime for tests: it remembers every order, and answers as it was told."""

from collections.abc import Callable

from . import SENT, Order, Outcome


class FakeRuntime:
    def __init__(self, answer: Callable[[Order], Outcome] | None = None) -> None:
        self.orders: list[Order] = []
        self.answer = answer or (lambda _: SENT)

    def wake(self, order: Order, quiet_s: float) -> Outcome:  # noqa: ARG002 - a contract
        outcome = self.answer(order)
        if outcome.result == "sent":
            self.orders.append(order)
        return outcome

    def seen(self, order: Order) -> bool:
        return any((known.id, known.attempt) == (order.id, order.attempt) for known in self.orders)
