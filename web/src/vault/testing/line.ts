/** A helper without a worker. */

import { type Answered, type Asked, type Helper, help } from "../helpers.ts";
import { alone } from "../opening.ts";

/** A helper at the end of a line that copies what goes over it. It breaks down when it has done so many. */
export function line(strong = Number.POSITIVE_INFINITY): Helper & { asked: unknown[] } {
  const heard: ((e: MessageEvent<Answered>) => void)[] = [];
  const broke: (() => void)[] = [];
  const asked: unknown[] = [];
  const port: Parameters<typeof help>[0] = {
    postMessage: (m) => void Promise.resolve(structuredClone(m)).then((data) => heard[0]!({ data } as MessageEvent<Answered>)),
    onmessage: null,
  };
  help(port, alone);
  let left = strong;
  return {
    asked,
    postMessage: (m: Asked) => {
      const data = structuredClone(m);
      asked.push(data.question);
      void Promise.resolve().then(() => (left-- > 0 ? port.onmessage!({ data } as MessageEvent<Asked>) : broke[0]!()));
    },
    addEventListener: (kind: "message" | "error", h: (e: MessageEvent<Answered>) => void) => {
      if (kind === "message") heard.push(h);
      else broke.push(h as () => void);
    },
  };
}
