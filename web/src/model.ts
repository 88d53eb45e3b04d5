/** The document of a run: what `pipelex.tooling.viewer` writes into the page. Times are ISO 8601, money is US dollars. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type Status = "running" | "completed" | "failed" | "timed_out" | "cancelled" | "terminated" | "skipped" | "not_run";

export interface Problem {
  code: string;
  detail: string;
  advice?: string;
  category?: string;
  provider?: string;
  model?: string;
  attempts?: number;
  pipe?: string;
}

export interface Usage {
  handle: string;
  backend: string;
  calls?: number;
  input_tokens?: number;
  output_tokens?: number;
  cached_tokens?: number;
  cost_usd?: number | null;
}

export interface Effect {
  name: string;
  summary: string;
  status: Status;
  attempts?: number;
  started?: string;
  ended?: string;
  queue?: string;
  model?: string;
  usage?: Usage;
  cached?: boolean;
  prompt?: { system?: string; user?: string; images?: number; documents?: number };
  error?: Problem;
}

export interface PipeNode {
  id: string;
  /** Index of the node it ran in; absent at the root. */
  parent?: number;
  pipe: string;
  type: string;
  /** What the drawing calls it: the step's result, the branch's name, or the pipe's code. */
  label?: string;
  /** Rank in a sequence, from 1. */
  step?: number;
  /** Rank in a batch, from 0. */
  item?: number;
  branch?: string;
  outcome?: string;
  status: Status;
  started?: string;
  ended?: string;
  inputs?: Record<string, string>;
  output?: string;
  absent?: string;
  effects?: Effect[];
  error?: Problem;
  /** The run whose result was taken over instead of running again. */
  reused?: string;
  /** Nobody keeps what happened inside any longer. */
  gone?: boolean;
  /** What it used with everything below it, where that is gone. */
  usage?: Usage[];
}

export interface PipeFacts {
  type: string;
  description?: string;
  inputs?: Record<string, string>;
  output?: string;
  model?: string;
  prompt?: string;
  system_prompt?: string;
  expression?: string;
}

export interface Value {
  concept: string;
  content: Json;
  /** Characters left out where the value was too large for the page. */
  left_out?: number;
}

export interface RunFile {
  name: string;
  /** The path of the file beside the page. */
  href: string;
  /** A data URL with its bytes, where the page holds them. */
  data?: string;
  mime_type?: string;
  size?: number;
}

export interface RunDocument {
  version: 1;
  run: {
    id: string;
    pipe: string;
    status: Status;
    orchestrator: string;
    method?: string;
    started?: string;
    ended?: string;
    user?: string;
    links?: { label: string; href: string }[];
    replays?: string;
    /** The runs that reuse its results. */
    replayed?: string[];
    error?: Problem;
    waiting?: string;
    /** Where a served page asks for the state of a run that goes on. */
    live?: string;
  };
  pipes: Record<string, PipeFacts>;
  nodes: PipeNode[];
  values: Record<string, Value>;
  result?: string;
  files?: RunFile[];
}

/** States, those first that somebody may have to do something about. */
export const SEVERITY: readonly Status[] = ["failed", "timed_out", "terminated", "cancelled", "running", "not_run", "skipped", "completed"];

export interface Totals {
  calls: number;
  inputTokens: number;
  outputTokens: number;
  cost: number | null;
  models: string[];
}

/** What the views ask of a document again and again, worked out once. */
export class Run {
  readonly children: number[][];
  readonly own: Totals[];
  readonly totals: Totals[];
  readonly started: number;
  readonly ended: number;

  constructor(readonly document: RunDocument) {
    const { nodes } = document;
    this.children = nodes.map(() => []);
    nodes.forEach((node, index) => {
      if (node.parent !== undefined) this.children[node.parent]?.push(index);
    });
    const rank = (index: number) => nodes[index]?.step ?? 0;
    const item = (index: number) => nodes[index]?.item ?? 0;
    for (const each of this.children) each.sort((one, other) => rank(one) - rank(other) || item(one) - item(other));
    this.own = nodes.map((node) => totalsOf([...(node.effects ?? []).map(({ usage }) => usage), ...(node.usage ?? [])]));
    this.totals = this.own.map((own) => ({ ...own, models: [...own.models] }));
    // A node stands after the one it ran in, so that one pass from the end adds everything up.
    for (let index = nodes.length - 1; index > 0; index -= 1) {
      const parent = nodes[index]?.parent;
      if (parent !== undefined) add(this.totals[parent]!, this.totals[index]!);
    }
    const times = nodes.flatMap((node) => [time(node.started), time(node.ended)]).filter((each) => !Number.isNaN(each));
    this.started = Math.min(...reduced(times, Math.min));
    this.ended = Math.max(...reduced(times, Math.max));
  }

  node(index: number): PipeNode {
    return this.document.nodes[index]!;
  }

  facts(index: number): PipeFacts | undefined {
    return this.document.pipes[this.node(index).pipe];
  }

  label(index: number): string {
    const node = this.node(index);
    const name = node.label ?? node.branch ?? code(node.pipe);
    return node.item === undefined ? name : `${name}[${node.item}]`;
  }

  /** How many of some nodes are in each state, the worst state first. */
  counts(indices: readonly number[]): Map<Status, number> {
    const found = new Map<Status, number>();
    for (const index of indices) {
      const { status } = this.node(index);
      found.set(status, (found.get(status) ?? 0) + 1);
    }
    return new Map(SEVERITY.filter((status) => found.has(status)).map((status) => [status, found.get(status)!]));
  }

  /** How many pipes ran, or run: not the steps and outcomes that the method has beside them. */
  get ran(): number {
    return this.document.nodes.filter(({ status }) => status !== "not_run" && status !== "skipped").length;
  }

  /** How many pipes took over the result of another run. */
  get reused(): number {
    return this.document.nodes.filter(({ reused }) => reused !== undefined).length;
  }

  /** The models that a pipe run asked, whether they answered or not. */
  models(index: number): string[] {
    const asked = (this.node(index).effects ?? []).flatMap(({ model }) => (model === undefined ? [] : [model]));
    return [...new Set([...this.totals[index]!.models, ...asked])];
  }

  /** The nodes that a node ran in, from the inside out. */
  above(index: number): number[] {
    const found: number[] = [];
    for (let at = this.node(index).parent; at !== undefined; at = this.node(at).parent) found.push(at);
    return found;
  }

  value(id: string | undefined): Value | undefined {
    return id === undefined ? undefined : this.document.values[id];
  }
}

function reduced(times: number[], pick: (a: number, b: number) => number): number[] {
  return times.length ? [times.reduce((a, b) => pick(a, b))] : [NaN];
}

export function time(text: string | undefined): number {
  return text === undefined ? NaN : Date.parse(text);
}

export function code(pipe: string): string {
  return pipe.slice(pipe.lastIndexOf(".") + 1);
}

/** Whether something ended without its result, by itself. */
export function isFailure(status: Status): boolean {
  return status === "failed" || status === "timed_out";
}

function totalsOf(usages: readonly (Usage | undefined)[]): Totals {
  const totals: Totals = { calls: 0, inputTokens: 0, outputTokens: 0, cost: null, models: [] };
  for (const usage of usages) {
    if (!usage) continue;
    add(totals, {
      calls: usage.calls ?? 1,
      inputTokens: usage.input_tokens ?? 0,
      outputTokens: usage.output_tokens ?? 0,
      cost: usage.cost_usd ?? null,
      models: [usage.handle],
    });
  }
  return totals;
}

/** What several pipe runs used together. */
export function sumOf(run: Run, indices: readonly number[]): Totals {
  const sum: Totals = { calls: 0, inputTokens: 0, outputTokens: 0, cost: null, models: [] };
  for (const index of indices) add(sum, run.totals[index]!);
  return sum;
}

function add(to: Totals, other: Totals): void {
  to.calls += other.calls;
  to.inputTokens += other.inputTokens;
  to.outputTokens += other.outputTokens;
  if (other.cost !== null) to.cost = (to.cost ?? 0) + other.cost;
  for (const model of other.models) if (!to.models.includes(model)) to.models.push(model);
}
