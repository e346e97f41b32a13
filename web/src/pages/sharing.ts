/** The pages about who may see what, fetched together. */
export { Sharing } from "./Sharing.tsx";
export { CardPage } from "./sharing/CardPage.tsx";
export { CodePage } from "./sharing/CodePage.tsx";
export { NewShare } from "./sharing/NewShare.tsx";
export { RequestPage } from "./sharing/RequestPage.tsx";
