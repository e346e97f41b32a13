/** The pages about what is deleted, fetched together. */
export { Deleted } from "./erase/Deleted.tsx";
export { EraseFrom } from "./erase/EraseFrom.tsx";
