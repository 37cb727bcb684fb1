// A page beside the dashboard: looks again and again with the token of this tab, and says how that went.

import { Refused, findToken } from "./api.js";
import { at, say, show } from "./dom.js";

/** `look` reads and renders, and answers after how many milliseconds to look again. */
export function keepLooking(look) {
  let waiting = 0, looking = null, failed = false;
  const again = async () => {
    clearTimeout(waiting);
    let wait = 5_000;
    try {
      wait = await look();
      at("link").dataset.state = "live";
      say(at("link"), "live");
      if (failed) show(at("notice"), false);
      failed = false;
    } catch (fault) {
      failed = true;
      complain(fault);
      delete at("link").dataset.state;
      say(at("link"), "not connected");
      if (fault instanceof Refused && fault.status === 401) return;
    }
    waiting = setTimeout(start, wait);
  };
  const start = () => (looking = (looking ?? Promise.resolve()).then(again));
  findToken();
  start();
  return start;
}

export function complain(fault) {
  say(at("notice"), fault instanceof Refused && fault.status === 401
    ? "This tab has no valid token: open the dashboard first and give it there." : fault.message);
  show(at("notice"), true);
}
