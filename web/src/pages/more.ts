/** The pages about who looked, and about the app itself, fetched together. */

export { Activities } from "./Activities.tsx";
export { More } from "./More.tsx";
export { About } from "./more/About.tsx";
export { AddDevice } from "./more/AddDevice.tsx";
export { Export } from "./more/Export.tsx";
export { Keys } from "./more/Keys.tsx";
export { LanguagePage } from "./more/LanguagePage.tsx";
export { Notices } from "./more/Notices.tsx";
