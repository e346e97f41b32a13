/**
 * A trend as SVG of our own: the usual range as a band, values out of it as triangles, and a cursor that the arrow keys move from value to
 * value; its value is read out. The same numbers stand in the page's table. Time goes from left to right in every language.
 */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Point, Series } from "../../fhir/series.ts";
import { fill, language, number, time, words } from "../../i18n/index.ts";
import { FlagChip, Value } from "../../ui/parts.tsx";
import { moments, scale } from "./scale.ts";

const height = 230;
const edge = { top: 14, right: 14, bottom: 28, left: 44 };

/** One cursor place: all values of one moment. */
interface Stop {
  at: number;
  points: Point[];
}

function stops(s: Series): Stop[] {
  const by = new Map<number, Point[]>();
  for (const l of s.lines) for (const p of l.points) by.set(p.at, [...(by.get(p.at) ?? []), p]);
  return [...by].map(([at, points]) => ({ at, points })).sort((a, b) => a.at - b.at);
}

const mark = (p: Point, x: number, y: number): string => {
  if (p.flag === "high" || p.flag === "critical-high") return `M${x} ${y - 6}l6 10h-12z`;
  if (p.flag === "low" || p.flag === "critical-low") return `M${x} ${y + 6}l6 -10h-12z`;
  return `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z`;
};

function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(320);
  useEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(([e]) => e && setWidth(Math.max(220, Math.round(e.contentRect.width))));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}

export function Trend({ series: s }: { series: Series }) {
  const w = words.value.vitals;
  const [box, width] = useWidth();
  const all = stops(s);
  const [at, setAt] = useState(all.length - 1);
  const here = all[Math.min(at, all.length - 1)];
  if (!here) return null;
  const values = all.flatMap((p) => p.points.map((x) => x.value));
  const y = scale([...values, ...(s.low === null ? [] : [s.low]), ...(s.high === null ? [] : [s.high])]);
  const from = all[0]!.at;
  const to = all.at(-1)!.at;
  const inner = width - edge.left - edge.right;
  const px = (t: number) => edge.left + (from === to ? inner / 2 : ((t - from) / (to - from)) * inner);
  const py = (v: number) => edge.top + (1 - (v - y.low) / (y.high - y.low)) * (height - edge.top - edge.bottom);
  const said = (p: Stop) =>
    [
      `${p.points.map((x) => number(x.value)).join("/")} ${s.unit}`,
      time(p.at),
      ...new Set(p.points.map((x) => (x.flag ? words.value.flags[x.flag] : ""))),
    ]
      .filter(Boolean)
      .join(", ");
  const move = (e: KeyboardEvent) => {
    const to = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      Home: 0,
      End: all.length - 1,
      PageUp: at + 10,
      PageDown: at - 10,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    setAt(Math.max(0, Math.min(all.length - 1, to)));
  };
  const point = (e: PointerEvent & { currentTarget: HTMLElement }) => {
    const x = e.clientX - e.currentTarget.getBoundingClientRect().left;
    setAt(all.reduce((best, p, i) => (Math.abs(px(p.at) - x) < Math.abs(px(all[best]!.at) - x) ? i : best), 0));
  };
  const ticks = moments(from, to, from === to ? 1 : width > 520 ? 4 : 3);
  return (
    <div class="trend" dir="ltr">
      <p class="trend-said" aria-hidden="true" dir={language.value === "ar" ? "rtl" : "ltr"}>
        <Value text={`${here.points.map((x) => number(x.value)).join("/")} ${s.unit}`.trim()} />{" "}
        <span class="row-more">{time(here.at)}</span>{" "}
        {[...new Set(here.points.map((x) => x.flag))].map((f) => (
          <FlagChip key={f} flag={f} />
        ))}
      </p>
      <div
        ref={box}
        class="trend-box"
        role="slider"
        tabIndex={0}
        aria-label={fill(w.chart, { name: s.name })}
        aria-valuemin={0}
        aria-valuemax={all.length - 1}
        aria-valuenow={at}
        aria-valuetext={said(here)}
        aria-describedby="trend-keys"
        onKeyDown={move}
        onPointerDown={point}
        onPointerMove={point}
      >
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
          {s.low !== null || s.high !== null ? (
            <rect
              class="band"
              x={edge.left}
              width={inner}
              y={py(s.high ?? y.high)}
              height={Math.max(0, py(s.low ?? y.low) - py(s.high ?? y.high))}
            />
          ) : null}
          {y.ticks.map((v) => (
            <g key={v}>
              <path class="grid" d={`M${edge.left} ${py(v)}H${width - edge.right}`} />
              <text x={edge.left - 8} y={py(v) + 4} text-anchor="end">
                {number(v)}
              </text>
            </g>
          ))}
          {ticks.map((t, i) => (
            <text
              key={t}
              x={px(t)}
              y={height - 6}
              text-anchor={ticks.length === 1 ? "middle" : i === 0 ? "start" : i === ticks.length - 1 ? "end" : "middle"}
            >
              {time(t, to - from > 60 * 86_400_000 ? "month" : "day")}
            </text>
          ))}
          <path class="cursor" d={`M${px(here.at)} ${edge.top}V${height - edge.bottom}`} />
          {s.lines.map((l, i) => (
            <g key={l.name} class={i === 0 ? "line" : "line second"}>
              <path
                class="stroke"
                d={l.points.length > 1 ? `M${l.points.map((p) => `${px(p.at).toFixed(1)} ${py(p.value).toFixed(1)}`).join("L")}` : ""}
              />
              {l.points.map((p) => (
                <path key={p.key} class={p.flag && p.flag !== "normal" ? "mark out" : "mark"} d={mark(p, px(p.at), py(p.value))} />
              ))}
            </g>
          ))}
          {here.points.map((p) => (
            <circle key={p.key + p.value} class="held" cx={px(p.at)} cy={py(p.value)} r="9" />
          ))}
        </svg>
      </div>
      <p id="trend-keys" class="hint" dir="auto">
        {w.keys}
      </p>
    </div>
  );
}
