/** The page's one heading. It names the tab and takes the focus when the person comes here; only the page that was loaded leaves it alone. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../i18n/index.ts";

let loaded = true;

export function Heading({ children }: { children: ComponentChildren }) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${h1.current?.textContent} · ${words.value.app}`;
  });
  useEffect(() => {
    if (!loaded) h1.current?.focus({ preventScroll: true });
    loaded = false;
  }, []);
  return (
    <h1 ref={h1} tabIndex={-1}>
      {children}
    </h1>
  );
}
