/** The pages about people who read for one another, fetched together. */
export { AnswerCode } from "./family/AnswerCode.tsx";
export { Family } from "./family/Family.tsx";
export { Invite } from "./family/Invite.tsx";
export { NewProxy } from "./family/NewProxy.tsx";
export { ReadFor } from "./family/ReadFor.tsx";
export { Whose } from "./family/Whose.tsx";
