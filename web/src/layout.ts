/**
 * Where everything in the graph stands. A method's graph is a tree of controllers, so it is laid out by its structure:
 * the steps of a sequence below each other, branches and outcomes side by side, a batch folded into one card. Every
 * node is looked at once, whatever their number.
 */
import { isFailure, type PipeNode, type Run, SEVERITY, type Status } from "./model";

export interface Box {
  id: string;
  kind: "pipe" | "controller" | "batch" | "more";
  index?: number;
  /** The runs that a folded batch or a "more" card stands for. */
  members?: number[];
  title: string;
  x: number;
  y: number;
  width: number;
  height: number;
  status: Status;
  isOpen?: boolean;
  /** What a click on the fold opens or closes. */
  fold?: string;
}

export interface Arrow {
  id: string;
  source: string;
  target: string;
}

export interface Drawing {
  boxes: Box[];
  arrows: Arrow[];
  width: number;
  height: number;
}

export const LEAF = { width: 230, height: 72 };
const GAP = { x: 36, y: 44 };
const PAD = { x: 18, top: 46, bottom: 18 };
/** Steps of a sequence in one column, and items of an open batch in one row. */
const COLUMN = 12;
const ROW = 4;
/** Items that an open batch shows at first; the others are behind a card. */
export const ITEMS_SHOWN = 40;

interface Block {
  width: number;
  height: number;
  /** Boxes and arrows, placed from the block's own corner. */
  boxes: Box[];
  arrows: Arrow[];
  /** Where arrows to and from the block go. */
  id: string;
}

export function draw(run: Run, open: ReadonlySet<string>): Drawing {
  if (!run.document.nodes.length) return { boxes: [], arrows: [], width: 0, height: 0 };
  return blockOf(run, 0, open);
}

function blockOf(run: Run, index: number, open: ReadonlySet<string>): Block {
  const node = run.node(index);
  const children = run.children[index] ?? [];
  if (!children.length) return leaf(run, index);
  if (index !== 0 && isFolded(node, children.length, open)) return leaf(run, index, children.length);
  const inner = node.type === "PipeBatch" ? items(run, index, children, open) : childBlocks(run, index, children, open);
  return framed(run, index, inner);
}

/** Controllers with many children start folded; `open` holds what was clicked since. */
function isFolded(node: PipeNode, children: number, open: ReadonlySet<string>): boolean {
  const clicked = open.has(`node:${node.id}`);
  return children > 200 ? !clicked : clicked;
}

function childBlocks(run: Run, index: number, children: number[], open: ReadonlySet<string>): Block {
  const node = run.node(index);
  const members = grouped(run, children);
  const blocks = members.map((group) =>
    group.length === 1 && run.node(group[0]!).item === undefined
      ? blockOf(run, group[0]!, open)
      : batch(run, group, `${node.id}#${run.node(group[0]!).step ?? run.label(group[0]!)}`, open),
  );
  if (node.type === "PipeSequence") return column(blocks);
  const outcomes = members.map((group) => run.node(group[0]!).outcome);
  return row(blocks, node.type === "PipeCondition" ? outcomes : undefined);
}

/** Children that are items of one batched step stand together. */
export function grouped(run: Run, children: readonly number[]): number[][] {
  const groups: number[][] = [];
  const byStep = new Map<string, number[]>();
  for (const child of children) {
    const node = run.node(child);
    if (node.item === undefined) {
      groups.push([child]);
      continue;
    }
    const key = `${node.step ?? ""}:${node.branch ?? ""}:${node.pipe}`;
    const known = byStep.get(key);
    if (known) known.push(child);
    else {
      const group = [child];
      byStep.set(key, group);
      groups.push(group);
    }
  }
  return groups;
}

function leaf(run: Run, index: number, folded?: number): Block {
  const node = run.node(index);
  const box: Box = {
    id: node.id,
    kind: "pipe",
    index,
    title: run.label(index),
    x: 0,
    y: 0,
    ...LEAF,
    status: node.status,
    ...(folded === undefined ? {} : { fold: `node:${node.id}`, isOpen: false, members: run.children[index] ?? [] }),
  };
  return { ...LEAF, boxes: [box], arrows: [], id: node.id };
}

function items(run: Run, index: number, children: number[], open: ReadonlySet<string>): Block {
  return batch(run, children, `${run.node(index).id}#items`, open);
}

function batch(run: Run, members: number[], id: string, open: ReadonlySet<string>): Block {
  const fold = `batch:${id}`;
  const isOpen = open.has(fold);
  const title = `${run.label(members[0]!).replace(/\[\d+\]$/, "")} × ${members.length}`;
  const status = worst(members.map((member) => run.node(member).status));
  const card: Box = { id, kind: "batch", members, title, x: 0, y: 0, ...LEAF, status, fold, isOpen };
  if (!isOpen) return { ...LEAF, boxes: [card], arrows: [], id };
  const shown = open.has(`all:${id}`) ? members : notable(run, members);
  const blocks = shown.map((member) => blockOf(run, member, open));
  if (shown.length < members.length) blocks.push(more(id, members.length - shown.length, status));
  const grid = rows(blocks, ROW);
  return wrap(card, grid, id);
}

/** The first items, with those that failed among them wherever they stand. */
function notable(run: Run, members: number[]): number[] {
  if (members.length <= ITEMS_SHOWN) return members;
  const failed = members.filter((member) => isFailure(run.node(member).status)).slice(0, ITEMS_SHOWN);
  const chosen = new Set(failed);
  for (const member of members) {
    if (chosen.size >= ITEMS_SHOWN) break;
    chosen.add(member);
  }
  return members.filter((member) => chosen.has(member));
}

function more(id: string, left: number, status: Status): Block {
  const box: Box = {
    id: `${id}#more`,
    kind: "more",
    title: `${left} more`,
    x: 0,
    y: 0,
    ...LEAF,
    status,
    fold: `all:${id}`,
    isOpen: false,
  };
  return { ...LEAF, boxes: [box], arrows: [], id: box.id };
}

function framed(run: Run, index: number, inner: Block): Block {
  const node = run.node(index);
  const frame: Box = {
    id: node.id,
    kind: "controller",
    index,
    title: run.label(index),
    x: 0,
    y: 0,
    width: 0,
    height: 0,
    status: node.status,
    fold: `node:${node.id}`,
    isOpen: true,
  };
  return wrap(frame, inner, node.id);
}

function wrap(frame: Box, inner: Block, id: string): Block {
  const width = Math.max(inner.width + 2 * PAD.x, LEAF.width);
  const height = inner.height + PAD.top + PAD.bottom;
  const moved = shifted(inner, (width - inner.width) / 2, PAD.top);
  return { width, height, boxes: [{ ...frame, width, height }, ...moved.boxes], arrows: moved.arrows, id };
}

function shifted(block: Block, x: number, y: number): Block {
  return { ...block, boxes: block.boxes.map((box) => ({ ...box, x: box.x + x, y: box.y + y })) };
}

/** Blocks below each other, an arrow from each to the next; long ones go on in a further column. */
function column(blocks: Block[]): Block {
  const placed: Block[] = [];
  const columns: Block[][] = [];
  for (let start = 0; start < blocks.length; start += COLUMN) columns.push(blocks.slice(start, start + COLUMN));
  let x = 0;
  let height = 0;
  for (const each of columns) {
    const width = Math.max(...each.map((block) => block.width));
    let y = 0;
    for (const block of each) {
      placed.push(shifted(block, x + (width - block.width) / 2, y));
      y += block.height + GAP.y;
    }
    height = Math.max(height, y - GAP.y);
    x += width + GAP.x * 2;
  }
  const arrows = blocks.slice(1).map((block, rank) => arrow(blocks[rank]!.id, block.id));
  return merged(placed, x - GAP.x * 2, height, arrows);
}

/** Branches side by side; of a condition, each box tells the outcome that leads to it. */
function row(blocks: Block[], labels: (string | undefined)[] | undefined): Block {
  const perRow = blocks.length > 12 ? Math.ceil(Math.sqrt(blocks.length * 1.6)) : blocks.length;
  const block = rows(blocks, perRow);
  if (!labels) return block;
  const named = new Map(blocks.map((each, rank) => [each.id, labels[rank]]));
  return {
    ...block,
    boxes: block.boxes.map((box) => {
      const label = named.get(box.id);
      return label === undefined ? box : { ...box, title: `${label} → ${box.title}` };
    }),
  };
}

function rows(blocks: Block[], perRow: number): Block {
  const placed: Block[] = [];
  let y = 0;
  let width = 0;
  for (let start = 0; start < blocks.length; start += perRow) {
    const line = blocks.slice(start, start + perRow);
    let x = 0;
    for (const block of line) {
      placed.push(shifted(block, x, y));
      x += block.width + GAP.x;
    }
    width = Math.max(width, x - GAP.x);
    y += Math.max(...line.map((block) => block.height)) + GAP.y;
  }
  return merged(placed, width, y - GAP.y, []);
}

function merged(blocks: Block[], width: number, height: number, arrows: Arrow[]): Block {
  const boxes: Box[] = [];
  const all: Arrow[] = [];
  for (const block of blocks) {
    for (const box of block.boxes) boxes.push(box);
    for (const each of block.arrows) all.push(each);
  }
  for (const each of arrows) all.push(each);
  return { width, height, boxes, arrows: all, id: "" };
}

function arrow(source: string, target: string): Arrow {
  return { id: `${source}→${target}`, source, target };
}

export function worst(states: readonly Status[]): Status {
  return SEVERITY.find((status) => states.includes(status)) ?? "completed";
}
