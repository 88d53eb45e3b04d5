import { describe, expect, test } from "vitest";
import { draw, ITEMS_SHOWN, worst } from "./layout";
import { type PipeNode, Run, type RunDocument } from "./model";

function run(nodes: PipeNode[]): Run {
  const document: RunDocument = {
    version: 1,
    run: { id: "r", pipe: nodes[0]!.pipe, status: "completed", orchestrator: "direct" },
    pipes: {},
    nodes,
    values: {},
  };
  return new Run(document);
}

function node(id: string, type: string, more: Partial<PipeNode> = {}): PipeNode {
  return { id, pipe: `d.${id}`, type, status: "completed", ...more };
}

const none: ReadonlySet<string> = new Set();

function overlap(drawing: ReturnType<typeof draw>): [string, string][] {
  const leaves = drawing.boxes.filter((box) => !box.isOpen);
  const found: [string, string][] = [];
  for (const [rank, one] of leaves.entries())
    for (const other of leaves.slice(rank + 1))
      if (one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height)
        found.push([one.id, other.id]);
  return found;
}

describe("a sequence", () => {
  const steps = (many: number) => [
    node("root", "PipeSequence"),
    ...Array.from({ length: many }, (_, rank) => node(`s${rank}`, "PipeLLM", { parent: 0, step: rank + 1 })),
  ];

  test("has an arrow from each step to the next, and no other", () => {
    const { arrows } = draw(run(steps(4)), none);
    expect(arrows.map((each) => `${each.source}>${each.target}`)).toEqual(["s0>s1", "s1>s2", "s2>s3"]);
  });

  test("of a hundred steps is about as wide as it is high", () => {
    const drawing = draw(run(steps(100)), none);
    expect(drawing.width / drawing.height).toBeGreaterThan(0.5);
    expect(drawing.width / drawing.height).toBeLessThan(4);
    expect(overlap(drawing)).toEqual([]);
  });
});

test("branches of a parallel stand side by side without an arrow between them", () => {
  const drawing = draw(
    run([node("root", "PipeParallel"), ...["a", "b", "c"].map((id) => node(id, "PipeLLM", { parent: 0, branch: id }))]),
    none,
  );
  expect(drawing.arrows).toEqual([]);
  expect(new Set(drawing.boxes.slice(1).map((box) => box.y)).size).toBe(1);
});

test("a condition tells on each box which outcome leads to it", () => {
  const drawing = draw(
    run([
      node("root", "PipeCondition"),
      node("a", "PipeLLM", { parent: 0, outcome: "long" }),
      node("b", "PipeLLM", { parent: 0, outcome: "short", status: "skipped" }),
    ]),
    none,
  );
  expect(drawing.boxes.map((box) => box.title)).toEqual(["root", "long → a", "short → b"]);
});

describe("a batch", () => {
  const items = (many: number, failed: number[] = []) => [
    node("root", "PipeSequence"),
    ...Array.from({ length: many }, (_, rank) =>
      node(`i${rank}`, "PipeLLM", { parent: 0, step: 1, item: rank, pipe: "d.note", status: failed.includes(rank) ? "failed" : "completed" }),
    ),
    node("end", "PipeLLM", { parent: 0, step: 2 }),
  ];

  test("is one card until it is opened", () => {
    const drawing = draw(run(items(500)), none);
    expect(drawing.boxes.map((box) => box.title)).toEqual(["root", "note × 500", "end"]);
    expect(drawing.arrows).toHaveLength(1);
  });

  test("shows a part of its items when opened, those that failed among them, then all", () => {
    const opened = draw(run(items(500, [333])), new Set(["batch:root#1"]));
    expect(opened.boxes.filter((box) => box.id.startsWith("i"))).toHaveLength(ITEMS_SHOWN);
    expect(opened.boxes.map((box) => box.id)).toContain("i333");
    expect(overlap(opened)).toEqual([]);
    const all = draw(run(items(500)), new Set(["batch:root#1", "all:root#1"]));
    expect(all.boxes.filter((box) => box.id.startsWith("i"))).toHaveLength(500);
  });

  test("that failed in one item is marked so", () => {
    expect(draw(run(items(9, [4])), none).boxes[1]!.status).toBe("failed");
  });
});

test("usage adds up over everything below a pipe", () => {
  const usage = { handle: "m", backend: "b", input_tokens: 10, output_tokens: 5, cost_usd: 0.5 };
  const call = { name: "act_llm_gen_text", summary: "", status: "completed" as const, usage };
  const found = run([
    node("root", "PipeSequence"),
    node("a", "PipeSequence", { parent: 0 }),
    node("b", "PipeLLM", { parent: 1, effects: [call, { ...call, usage: { ...usage, handle: "n", cost_usd: null } }] }),
    node("c", "PipeLLM", { parent: 0, effects: [call] }),
  ]);
  expect(found.totals[0]).toEqual({ calls: 3, inputTokens: 30, outputTokens: 15, cost: 1, models: ["m", "n"] });
});

test("steps that did not run and outcomes that were not taken are no pipe runs", () => {
  const found = run([
    node("root", "PipeSequence", { status: "failed" }),
    node("a", "PipeCondition", { parent: 0 }),
    node("b", "PipeLLM", { parent: 1, outcome: "long", status: "failed" }),
    node("c", "PipeLLM", { parent: 1, outcome: "short", status: "skipped" }),
    node("d", "PipeLLM", { parent: 0, status: "not_run" }),
  ]);
  expect(found.ran).toBe(3);
  expect([...found.counts([1, 2, 3, 4])]).toEqual([["failed", 1], ["not_run", 1], ["skipped", 1], ["completed", 1]]);
});

test("a model that did not answer is one that was asked", () => {
  const call = { name: "act_llm_gen_text", summary: "", status: "failed" as const, model: "m" };
  const found = run([node("a", "PipeLLM", { status: "failed", effects: [call, call] }), node("b", "PipeLLM", { parent: 0, reused: "r0" })]);
  expect(found.models(0)).toEqual(["m"]);
  expect(found.reused).toBe(1);
});

test("the worst state of several is the one to see first", () => {
  expect(worst(["completed", "skipped", "failed"])).toBe("failed");
  expect(worst(["completed", "running"])).toBe("running");
  expect(worst([])).toBe("completed");
});
