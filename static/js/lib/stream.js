// The one connection of a page to the event log. Resumes by id, so that nothing is lost or shown twice.

const STORY_MS = 40_000; // the server sends at least a cursor every 15 s
const PONG_MS = 5_000;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 20_000;
const SETTLE_MS = 1_000;
const SESSION_ENDED = 4401;
const REFUSALS_BEFORE_SSE = 2;

/**
 * States: connecting, live, stale (open but silent), broken (retrying), ended (log in again).
 * Dispatches `frame` (detail: the frame), `state`, and `resumed` (detail: {replayed, awayS}) after a reconnection.
 */
export class Stream extends EventTarget {
  state = "connecting";
  lastId = null;
  lastFrameAt = 0;
  lostAt = 0;
  retryAt = 0;
  transport = "WebSocket";
  isServerUp = true;
  #socket = null;
  #source = null;
  #retries = 0;
  #refusals = 0;
  #timers = new Set();
  #replay = null;

  /** Connect. With `since`, every event after that id comes first. */
  start(since = null) {
    this.lastId = since;
    this.#connect();
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.retryNow(); });
  }

  /** Seconds since anything came in; Infinity before the first frame. */
  get silenceS() {
    return this.lastFrameAt ? (Date.now() - this.lastFrameAt) / 1000 : Infinity;
  }

  /** Do not wait for the next attempt. */
  retryNow() {
    if (this.state !== "broken") return;
    this.#clearTimers();
    this.#connect();
  }

  #connect() {
    this.retryAt = 0;
    if (this.#refusals >= REFUSALS_BEFORE_SSE && this.isServerUp) this.#connectSource();
    else this.#connectSocket();
  }

  #connectSocket() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const query = this.lastId === null ? "" : `?since=${this.lastId}`;
    const socket = new WebSocket(`${scheme}//${location.host}/ws/events${query}`);
    let wasOpen = false;
    this.transport = "WebSocket";
    this.#socket = socket;
    socket.onopen = () => { wasOpen = true; this.#refusals = 0; };
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (event) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (!wasOpen) this.#refusals += 1;
      this.#lost(event.code);
    };
  }

  #connectSource() {
    const query = this.lastId === null ? "" : `?since=${this.lastId}`;
    const source = new EventSource(`/api/events/stream${query}`);
    this.transport = "server-sent events";
    this.#source = source;
    const receive = (message) => this.#receive(message.data);
    source.onmessage = receive;
    for (const type of SSE_TYPES) source.addEventListener(type, receive);
    source.onopen = () => this.#enter("live");
    source.onerror = (event) => {
      if (event instanceof MessageEvent) return; // an event of the type `error`
      source.close();
      if (this.#source !== source) return;
      this.#source = null;
      this.#refusals = 0; // the socket gets the next try
      this.#lost(1006);
    };
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame === null || typeof frame !== "object" || typeof frame.type !== "string") return;
    this.lastFrameAt = Date.now();
    if (frame.type === "hello") { this.#greet(frame); return; }
    if (this.state !== "live") this.#enter("live");
    if (typeof frame.id === "number") {
      if (this.lastId !== null && frame.id <= this.lastId) return;
      this.lastId = frame.id;
      if (frame.type === "cursor") return;
      if (this.#replay && frame.id <= this.#replay.through) this.#replay.count += 1;
    }
    if (frame.type === "pong" || frame.type === "cursor") return;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #greet(frame) {
    const newest = frame.data?.last_id ?? 0;
    const lostAt = this.lostAt;
    if (this.lastId === null || this.lastId > newest) this.lastId = newest;
    this.#enter("live");
    if (!lostAt) return;
    const awayS = (Date.now() - lostAt) / 1000;
    const replay = { through: newest, count: 0 };
    this.#replay = replay;
    this.#later(SETTLE_MS, () => {
      this.#replay = null;
      this.dispatchEvent(new CustomEvent("resumed", { detail: { replayed: replay.count, awayS } }));
    });
  }

  #lost(code) {
    if (!this.lostAt) this.lostAt = Date.now();
    if (code === SESSION_ENDED) { this.#enter("ended"); return; }
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries);
    const waitMs = ceiling / 2 + Math.random() * (ceiling / 2);
    this.#retries += 1;
    this.retryAt = Date.now() + waitMs;
    this.#later(waitMs, () => this.#connect());
    this.#enter("broken");
    this.#askHealth();
  }

  async #askHealth() {
    try {
      const answer = await fetch("/api/health", { signal: AbortSignal.timeout(4000), cache: "no-store" });
      this.isServerUp = answer.ok;
    } catch {
      this.isServerUp = false;
    }
    this.dispatchEvent(new Event("state"));
  }

  #watch() {
    if (this.state !== "live" && this.state !== "stale") return;
    const silentMs = Date.now() - this.lastFrameAt;
    if (silentMs < STORY_MS) return;
    if (this.state === "live" && this.#socket) {
      this.#enter("stale");
      this.#socket.send('{"type":"ping"}');
    } else if (silentMs > STORY_MS + PONG_MS) {
      this.#hangUp();
    }
  }

  #hangUp() {
    const [socket, source] = [this.#socket, this.#source];
    this.#socket = this.#source = null;
    socket?.close();
    source?.close();
    this.#lost(1006);
  }

  #enter(state) {
    if (state === "live") {
      this.isServerUp = true;
      this.#retries = 0;
      this.lostAt = 0;
      if (!this.lastFrameAt) this.lastFrameAt = Date.now();
    }
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #later(ms, run) {
    const timer = setTimeout(() => { this.#timers.delete(timer); run(); }, ms);
    this.#timers.add(timer);
  }

  #clearTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** EventSource hears named events only by name. */
const SSE_TYPES = [
  "hello", "cursor", "error", "nodes.status", "node.changed", "ops.run", "chat.message", "chat.reply",
  "voice.stt", "voice.tts", "alert", "incident", "policy.changed", "audit",
];

export const stream = new Stream();
