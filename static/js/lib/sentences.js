// An event in one sentence, and the state whose glyph stands before it: what events/sentences.py says on the server.

import { STATES } from "./dom.js";

const MOST_NAMES = 3;
const text = (value) => (typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value));
const list = (value) => (Array.isArray(value) ? value : []);
const word = (value) => text(value).replaceAll("_", " ");

function named(nodes) {
  const said = nodes.slice(0, MOST_NAMES).map((node) => {
    const why = list(node?.reasons)[0];
    return `${text(node?.node_id)} is ${text(node?.status)}${why ? ` (${text(why)})` : ""}`;
  });
  const more = nodes.length - said.length;
  return said.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

const RANK = ["offline", "degraded", "unknown", "maintenance", "online"];
/** The nodes of a cycle, worst first. */
function changedNodes(data) {
  const rank = (node) => { const at = RANK.indexOf(node?.status); return at < 0 ? RANK.length : at; };
  return list(data.changed).toSorted((a, b) => rank(a) - rank(b));
}

/** What the node column says: the node that the event is about, or how many there are. */
export function nodesOf(frame) {
  if (frame.node_id) return frame.node_id;
  const changed = list(frame.data?.changed);
  return changed.length === 1 ? text(changed[0]?.node_id) : changed.length ? `${changed.length} nodes` : "";
}

/** The one node that the event is about, or null. */
export function nodeOf(frame) {
  const changed = list(frame.data?.changed);
  return frame.node_id || (changed.length === 1 ? text(changed[0]?.node_id) : "") || null;
}

function nodeChanged(data) {
  const change = data.change !== null && typeof data.change === "object" ? Object.keys(data.change) : [];
  const fields = change.length ? `: ${change.slice(0, 6).map(word).join(", ")}${change.length > 6 ? " …" : ""}` : "";
  return `${text(data.node_id)} was ${word(data.action) || "changed"}${data.action === "created" ? "" : fields}${data.by ? ` by ${text(data.by)}` : ""}`;
}

function nodesStatus(data) {
  const changed = changedNodes(data);
  const summary = data.summary ?? {};
  const counts = ["online", "degraded", "offline", "unknown", "maintenance", "paused"]
    .filter((state) => summary[state]).map((state) => `${summary[state]} ${state}`).join(", ");
  const cycle = data.cycle ?? {};
  const failed = cycle.failed ? `, ${text(cycle.failed)} failed` : "";
  const probed = cycle.probed === undefined ? "" : `; ${text(Math.min(cycle.probed, summary.total) || cycle.probed)} of ${text(summary.total ?? "?")} probed${failed}`;
  return (changed.length ? `${named(changed)}. ` : "") + `${text(summary.total ?? "?")} ${summary.total === 1 ? "node" : "nodes"}: ${counts || "none"}${probed}`;
}

function worst(data) {
  const state = changedNodes(data)[0]?.status;
  return STATES.has(state) ? state : "info";
}

/** What somebody did, by action. */
const DEEDS = {
  "session.login": () => "logged in",
  "session.logout": () => "logged out",
  "user.first_admin": () => "became the first admin",
  "user.set_password": (target) => `set the password of ${target}`,
  "user.set_role": (target, detail) => `gave ${target} the role ${text(detail.to) || "?"}`,
  "user.activate": (target) => `let ${target} in again`,
  "user.deactivate": (target) => `shut ${target} out`,
  "apikey.create": (target, detail) => `made the key ${text(detail.name) || target}`,
  "apikey.revoke": (target, detail) => `revoked the key ${text(detail.name) || target}`,
  "node.create": (target) => `added the node ${target}`,
  "node.update": (target) => `changed the node ${target}`,
  "node.delete": (target) => `removed the node ${target}`,
  "node.probe": (target) => `probed ${target}`,
  "event.append": () => "appended events",
};
const REFUSALS = {
  "session.login": () => "could not log in",
  "request.refused": (target) => `was refused at ${target}`,
  "request.suppressed": () => "was refused too often; more of it is not written",
};

function audit(data) {
  const isRefused = data.outcome === "refused";
  const deeds = isRefused ? REFUSALS : DEEDS;
  const target = text(data.target);
  if (!Object.hasOwn(deeds, text(data.action))) {
    return `${text(data.actor)}: ${text(data.action)} ${target}${isRefused ? " was refused" : ""}`.trim();
  }
  return `${text(data.actor)} ${deeds[data.action](target, data.detail ?? {})}`;
}

const RUN_STATES = { succeeded: "online", failed: "offline", lost: "offline", timed_out: "degraded", cancelled: "paused" };
const SEVERITIES = { critical: "offline", page: "offline", warning: "degraded", resolved: "online" };

const SENTENCES = {
  "nodes.status": nodesStatus,
  "node.changed": nodeChanged,
  "ops.run": (data) => `${word(data.task)} ${word(data.status)}${data.progress?.total ? `, ${text(data.progress.done)} of ${text(data.progress.total)}` : ""}`,
  "chat.message": (data) => text(data.text),
  "chat.reply": (data) => `${text(data.text)}${data.latency_ms ? ` (${Math.round(data.latency_ms)} ms)` : ""}`,
  "voice.stt": (data) => `Speech to text: ${word(data.phase)}${data.elapsed_ms ? `, ${Math.round(data.elapsed_ms)} ms` : ""}`,
  "voice.tts": (data) => `Text to speech: ${word(data.phase)}${data.voice ? `, ${text(data.voice)}` : ""}`,
  audit,
  error: (data) => text(data.message ?? data.detail) || word(data.code),
};

/** The sentence of a frame; an unknown type shows its text, its message or its data. */
export function sentence(frame) {
  const data = frame.data !== null && typeof frame.data === "object" ? frame.data : { text: frame.data };
  const own = SENTENCES[frame.type]?.(data);
  const said = own || text(data.summary ?? data.message ?? data.text ?? data.title) || JSON.stringify(data);
  return said.length > 400 ? `${said.slice(0, 400)}…` : said;
}

/** The state whose glyph a frame gets. */
export function stateOf(frame) {
  const data = frame.data ?? {};
  if (frame.type === "nodes.status") return worst(data);
  if (frame.type === "ops.run") return RUN_STATES[data.status] ?? "info";
  if (frame.type === "error") return "offline";
  if (frame.type === "alert" || frame.type === "incident") return SEVERITIES[data.severity ?? data.status] ?? "info";
  return STATES.has(data.status) ? data.status : "info";
}
