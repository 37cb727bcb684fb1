// Figures as people read them: a unit on every one, a dash where nobody measured.

const whole = new Intl.NumberFormat("en");
const NONE = "–";

export const count = (value) => (value === null || value === undefined ? NONE : whole.format(value));

export function percent(share, digits = 0) {
  return share === null || share === undefined ? NONE : `${(share * 100).toFixed(digits)} %`;
}

export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return `${(s / 3600).toFixed(1)} h`;
}

export function money(usd) {
  if (usd === null || usd === undefined) return NONE;
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(4)}`;
}

export function signed(usd) {
  return `${usd < 0 ? "−" : "+"}$${Math.abs(usd).toFixed(4)}`;
}

export const hours = (value) => (value < 1 ? `${Math.round(value * 60)} min` : `${value.toFixed(1)} h`);

export function clock(seconds) {
  const when = new Date(seconds * 1000);
  const today = new Date().toDateString() === when.toDateString();
  const time = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return today ? time : `${when.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

export const short = (hex) => `${hex.slice(0, 12)}…`;
