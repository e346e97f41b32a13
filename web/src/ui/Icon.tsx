/** Icons, drawn here: a font may lack them. They say nothing that text beside them doesn't say. */

const paths = {
  home: "M4 11.5 12 5l8 6.5V19a1 1 0 0 1-1 1h-4.5v-5.5h-5V20H5a1 1 0 0 1-1-1z",
  record: "M7 4h7l4 4v11a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM14 4v4h4M9 12.5h6M9 16h4",
  sharing: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19c0-3 2.2-5 5-5s5 2 5 5M16 8.5h5M18.5 6v5",
  activity: "M4 12h3.5l2.5-6 4 12 2.5-6H20",
  more: "M5 7h14M5 12h14M5 17h14",
  search: "M11 17a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM15.5 15.5 20 20",
  next: "m9.5 6 6 6-6 6",
  back: "m14.5 6-6 6 6 6",
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "m6.5 6.5 11 11M17.5 6.5l-11 11",
  plus: "M12 5v14M5 12h14",
  up: "M12 6 19 18H5z",
  down: "M12 18 5 6h14z",
  diamond: "M12 4l8 8-8 8-8-8z",
  shield: "M12 3.5 5 6v5.5c0 4.2 2.8 7.3 7 9 4.2-1.7 7-4.8 7-9V6zM9 12l2.2 2.2L15.2 10",
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2",
  lock: "M6.5 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  key: "M8 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11.5h8.5V15M17 11.5V14",
  globe: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM4 12h16M12 4c2.3 2.3 3.4 5 3.4 8S14.3 17.7 12 20c-2.3-2.3-3.4-5-3.4-8S9.7 6.3 12 4z",
  download: "M12 4v10.500M7.5 10.5 12 15l4.5-4.500M5 19.500h14",
  refresh: "M19 12a7 7 0 1 1-2.3-5.200M19 4v4h-4",
  pulse: "M12 20s-7.5-4.6-7.5-10A4.3 4.3 0 0 1 12 7.3 4.3 4.3 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z",
  flask: "M9.5 4h5M10.5 4v5.500L5.5 18a1.4 1.4 0 0 0 1.2 2h10.600a1.4 1.4 0 0 0 1.2-2l-5-8.500V4M8 15h8",
  pill: "M10.2 19.300a3.9 3.9 0 0 1-5.5-5.500l9.1-9.100a3.9 3.9 0 0 1 5.5 5.500zM9.2 9.300l5.5 5.5",
  syringe: "m14 5 5 5M16.5 7.5 20 4M15.5 8.5 8 16l-3.5 3.500M8 16H5.500M8 16v0M11 8l5 5-5.5 5.500H6L5.5 18v-4.500z",
  note: "M6 4.500h12v15H6zM9 9h6M9 12.500h6M9 16h3.5",
  visit: "M5 6h14v14H5zM5 10.500h14M9 3.500V7M15 3.500V7",
  card: "M4 6.500h16v11H4zM8 10v4M6 12h4M13 10.500h4.500M13 13.500h3",
  code: "M4.5 4.500h6v6h-6zM13.5 4.500h6v6h-6zM4.5 13.500h6v6h-6zM13.5 13.500h2.500v2.500h-2.500zM17.5 17.500h2v2h-2z",
  print: "M7.5 9V4h9v5M7.5 16H5a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1h14a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-2.500M7.5 13.500h9V20h-9z",
  building: "M5.5 20V5h9v15M14.5 10h4v10M3.5 20h17M8.5 8.500h3M8.5 12h3M8.5 15.500h3",
  watch: "M8 7.500h8v9H8zM9 7.5 9.7 4h4.600l.7 3.500M9 16.500l.7 3.500h4.600l.7-3.5",
  person: "M12 11.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c0-3.6 3-6 7-6s7 2.4 7 6",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  gear: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 3.500v3M12 17.500v3M3.5 12h3M17.5 12h3M6 6l2.1 2.100M15.9 15.9 18 18M18 6l-2.1 2.100M8.1 15.9 6 18",
} as const;

export type IconName = keyof typeof paths;

const filled: readonly IconName[] = ["up", "down", "diamond"];
const turned: readonly IconName[] = ["next", "back"]; // they point along the line of reading

export function Icon({ name }: { name: IconName }) {
  const solid = filled.includes(name);
  return (
    <svg class={turned.includes(name) ? "icon turns" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill={solid ? "currentColor" : "none"} stroke={solid ? "none" : "currentColor"} />
    </svg>
  );
}
