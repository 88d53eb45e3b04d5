import { useMemo, useState } from "react";
import { count, duration, money } from "./format";
import { grouped, worst } from "./layout";
import { type Run, sumOf, time } from "./model";
import { Rows, StatusMark } from "./parts";

interface Line {
  key: string;
  /** The pipe run on the line; a line for the items of a batch has `members` instead. */
  index?: number;
  members?: number[];
  title: string;
  depth: number;
  isOpen: boolean;
  hasChildren: boolean;
}

const HEIGHT = 30;
/** Lines that a key for a page goes. */
const PAGE = 20;
/** A batch of more items than this is one line until it is opened. */
const MANY = 12;

function useLines(run: Run, query: string, selected: number | undefined) {
  const [clicked, setClicked] = useState<ReadonlyMap<string, boolean>>(new Map());
  const lines = useMemo(() => {
    if (query) return found(run, query);
    const shown = new Set(selected === undefined ? [] : [selected, ...run.above(selected)]);
    return unfolded(run, clicked, shown);
  }, [run, clicked, query, selected]);
  const toggle = (line: Line) => setClicked((known) => new Map(known).set(line.key, !line.isOpen));
  return { lines, toggle };
}

/** The lines of the tree; what leads to the selected pipe is open, unless it was closed by hand. */
function unfolded(run: Run, clicked: ReadonlyMap<string, boolean>, shown: ReadonlySet<number>): Line[] {
  const lines: Line[] = [];
  const pipe = (index: number, depth: number): Line => {
    const hasChildren = run.children[index]!.length > 0;
    return { key: run.node(index).id, index, title: titleOf(run, index), depth, isOpen: hasChildren && clicked.get(run.node(index).id) !== false, hasChildren };
  };
  const batch = (members: number[], depth: number): Line => {
    const key = `${run.node(members[0]!).id}…`;
    const isOpen = clicked.get(key) ?? members.some((member) => shown.has(member));
    return { key, members, title: run.label(members[0]!).replace(/\[\d+\]$/, ""), depth, isOpen, hasChildren: true };
  };
  const waiting: Line[] = run.document.nodes.length ? [pipe(0, 0)] : [];
  while (waiting.length) {
    const line = waiting.pop()!;
    lines.push(line);
    if (!line.isOpen) continue;
    const below = line.members
      ? line.members.map((member) => pipe(member, line.depth + 1))
      : grouped(run, run.children[line.index!]!).flatMap((group) =>
          group.length > MANY ? [batch(group, line.depth + 1)] : group.map((member) => pipe(member, line.depth + 1)),
        );
    for (let rank = below.length - 1; rank >= 0; rank -= 1) waiting.push(below[rank]!);
  }
  return lines;
}

function titleOf(run: Run, index: number): string {
  const { outcome } = run.node(index);
  return outcome === undefined ? run.label(index) : `${outcome} → ${run.label(index)}`;
}

/** Search reads names, types, models, states and errors. */
function found(run: Run, query: string): Line[] {
  const wanted = query.toLowerCase();
  const lines: Line[] = [];
  run.document.nodes.forEach((node, index) => {
    const text = [run.label(index), node.pipe, node.type, node.status, node.error?.code, node.error?.detail, ...run.own[index]!.models];
    if (text.join(" ").toLowerCase().includes(wanted)) lines.push({ key: node.id, index, title: titleOf(run, index), depth: 0, isOpen: false, hasChildren: false });
  });
  return lines;
}

export function Tree({
  run,
  query,
  selected,
  select,
}: {
  run: Run;
  query: string;
  selected: number | undefined;
  select: (index: number) => void;
}) {
  const { lines, toggle } = useLines(run, query, selected);
  /** The line of a batch that the keyboard is at: there are no details of it to select. */
  const [batch, setBatch] = useState<string>();
  const atBatch = batch === undefined ? -1 : lines.findIndex((line) => line.key === batch);
  const atSelected = selected === undefined ? -1 : lines.findIndex((line) => line.index === selected);
  const focus = atBatch < 0 ? atSelected : atBatch;
  const go = (line: Line | undefined) => {
    if (line === undefined) return;
    setBatch(line.index === undefined ? line.key : undefined);
    if (line.index !== undefined) select(line.index);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const line = lines[focus];
    const to = { ArrowDown: focus + 1, ArrowUp: focus - 1, Home: 0, End: lines.length - 1, PageDown: focus + PAGE, PageUp: focus - PAGE }[event.key];
    if (to !== undefined) {
      go(lines[Math.max(0, Math.min(lines.length - 1, to))]);
    } else if (line === undefined) {
      return;
    } else if (event.key === "ArrowRight" && line.hasChildren) {
      if (line.isOpen) go(lines[focus + 1]);
      else toggle(line);
    } else if (event.key === "ArrowLeft") {
      if (line.isOpen) toggle(line);
      else go(lines.slice(0, focus).findLast((each) => each.depth < line.depth));
    } else if (event.key === "Enter" || event.key === " ") {
      if (line.index === undefined) toggle(line);
      else document.querySelector<HTMLElement>(".details")?.focus();
    } else {
      return;
    }
    event.preventDefault();
  };
  return (
    <div className="tree">
      <div className="line head" aria-hidden="true">
        <span className="line-name">pipe</span>
        <span className="line-model">model</span>
        <span className="line-number">tokens</span>
        <span className="line-number">cost</span>
        <span className="line-number">time</span>
      </div>
      <Rows
        count={lines.length}
        height={HEIGHT}
        focus={focus}
        role="tree"
        label="Pipes of the run"
        onKeyDown={onKeyDown}
        row={(rank, id) => <TreeLine key={lines[rank]!.key} id={id} run={run} line={lines[rank]!} isSelected={rank === focus} go={go} toggle={toggle} />}
      />
    </div>
  );
}

function TreeLine({
  id,
  run,
  line,
  isSelected,
  go,
  toggle,
}: {
  id: string;
  run: Run;
  line: Line;
  isSelected: boolean;
  go: (line: Line) => void;
  toggle: (line: Line) => void;
}) {
  const { index, members } = line;
  const node = index === undefined ? undefined : run.node(index);
  const totals = index === undefined ? sumOf(run, members!) : run.totals[index]!;
  const tokens = totals.inputTokens + totals.outputTokens;
  return (
    <div
      className={`line${isSelected ? " selected" : ""}`}
      style={{ height: HEIGHT }}
      id={id}
      role="treeitem"
      aria-selected={isSelected}
      aria-expanded={line.hasChildren ? line.isOpen : undefined}
      aria-level={line.depth + 1}
      onClick={() => {
        go(line);
        if (index === undefined) toggle(line);
      }}
    >
      <span className="line-name" style={{ paddingLeft: line.depth * 18 }}>
        <button
          className={`twist${line.hasChildren ? "" : " none"}`}
          tabIndex={-1}
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            toggle(line);
          }}
        >
          {line.isOpen ? "▾" : "▸"}
        </button>
        <StatusMark status={node?.status ?? worst(members!.map((member) => run.node(member).status))} />
        {node?.step !== undefined && node.item === undefined && <span className="step">{node.step}</span>}
        <span className="line-label">{line.title}</span>
        {node ? (
          <span className="faint line-type">{node.type}</span>
        ) : (
          <span className="faint">
            × {count(members!.length)} ·{" "}
            {[...run.counts(members!)].map(([status, number]) => `${count(number)} ${status.replace("_", " ")}`).join(", ")}
          </span>
        )}
        {node?.gone && <span className="tag">history gone</span>}
        {node?.reused !== undefined && <span className="tag">reused</span>}
        {node?.error && <span className="tag failed">{node.error.code}</span>}
      </span>
      <span className="line-model">{totals.models.join(", ")}</span>
      <span className="line-number">{tokens ? count(tokens) : ""}</span>
      <span className="line-number">{money(totals.cost)}</span>
      <span className="line-number">{node ? duration(time(node.ended) - time(node.started)) : ""}</span>
    </div>
  );
}
