/** Where values and times lie in a chart: round steps for values, whole months or days for times. */

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
}

/** Steps of 1, 2 or 5 times a power of ten that hold all values, about as many as wished. */
export function scale(values: number[], wished = 4): Scale {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const span = most - least || Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(span / wished));
  const step = power * ([1, 2, 5, 10].find((m) => span / (m * power) <= wished) ?? 10);
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(most / step), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks };
}

/** Some moments between two, evenly. */
export function moments(from: number, to: number, n: number): number[] {
  if (from === to) return [from];
  return Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1));
}
