import {
  Background,
  BackgroundVariant,
  Controls,
  Handle,
  MarkerType,
  MiniMap,
  Position,
  ReactFlow,
  ReactFlowProvider,
  type Edge,
  type Node,
  type NodeProps,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { memo, useEffect, useMemo, useRef } from "react";
import { count, duration, money } from "./format";
import { type Box, draw } from "./layout";
import { type Run, time } from "./model";
import { StatusMark } from "./parts";

interface BoxData extends Record<string, unknown> {
  box: Box;
  run: Run;
  isSelected: boolean;
  toggle: (fold: string) => void;
  select: (index: number) => void;
}

type BoxNode = Node<BoxData>;

const nodeTypes = { box: memo(BoxView) };

export function Graph(props: {
  run: Run;
  open: ReadonlySet<string>;
  selected: number | undefined;
  toggle: (fold: string) => void;
  select: (index: number) => void;
  isDark: boolean;
}) {
  return (
    <ReactFlowProvider>
      <Drawn {...props} />
    </ReactFlowProvider>
  );
}

function Drawn({ run, open, selected, toggle, select, isDark }: Parameters<typeof Graph>[0]) {
  const drawing = useMemo(() => draw(run, open), [run, open]);
  const nodes = useMemo<BoxNode[]>(
    () =>
      drawing.boxes.map((box, order) => ({
        id: box.id,
        type: "box",
        position: { x: box.x, y: box.y },
        width: box.width,
        height: box.height,
        zIndex: order,
        draggable: false,
        connectable: false,
        selectable: false,
        focusable: false,
        data: { box, run, isSelected: box.index !== undefined && box.index === selected, toggle, select },
      })),
    [drawing, run, selected, toggle, select],
  );
  const edges = useMemo<Edge[]>(
    () =>
      drawing.arrows.map((each) => ({
        id: each.id,
        source: each.source,
        target: each.target,
        type: "smoothstep",
        focusable: false,
        zIndex: 10_000,
        markerEnd: { type: MarkerType.ArrowClosed, width: 18, height: 18 },
      })),
    [drawing],
  );
  const flow = useReactFlow();
  const centre = (duration: number) => {
    const box = selected === undefined ? undefined : boxOf(run, drawing.boxes, selected);
    if (box) void flow.setCenter(box.x + box.width / 2, box.y + Math.min(box.height, 200) / 2, { zoom: Math.max(flow.getZoom(), 0.6), duration });
  };
  const isFitted = useRef(false);
  useEffect(() => {
    isFitted.current = false;
    void flow.fitView({ padding: 0.08, minZoom: 0.6, maxZoom: 1.1 }).then(() => {
      // What is larger than the window begins at its beginning.
      const { x, y, zoom } = flow.getViewport();
      void flow.setViewport({ x: Math.max(x, 20), y: Math.max(y, 20), zoom });
      centre(0);
      isFitted.current = true;
    });
  }, [flow, run.document.run.id]); // eslint-disable-line
  useEffect(() => {
    if (isFitted.current) centre(250);
  }, [selected]); // eslint-disable-line
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={nodeTypes}
      colorMode={isDark ? "dark" : "light"}
      onlyRenderVisibleElements={nodes.length > 300}
      minZoom={0.02}
      maxZoom={2}
      nodesDraggable={false}
      nodesConnectable={false}
      elementsSelectable={false}
      proOptions={{ hideAttribution: true }}
      aria-label="Graph of the run"
    >
      <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
      <Controls showInteractive={false} />
      {nodes.length > 12 && <MiniMap pannable zoomable nodeClassName={(node) => `mini ${(node.data as BoxData).box.status}`} />}
    </ReactFlow>
  );
}

/** The box of a pipe run, or the innermost one that it is folded into. */
function boxOf(run: Run, boxes: readonly Box[], index: number): Box | undefined {
  for (const each of [index, ...run.above(index)]) {
    const box = boxes.find((one) => one.index === each) ?? boxes.find((one) => one.kind === "batch" && !one.isOpen && one.members?.includes(each));
    if (box) return box;
  }
  return undefined;
}

function inWords(run: Run, members: readonly number[]): string {
  return [...run.counts(members)].map(([status, number]) => `${count(number)} ${status.replace("_", " ")}`).join(", ");
}

function BoxView({ data }: NodeProps<BoxNode>) {
  const { box, run, isSelected, toggle, select } = data;
  const onClick = () => {
    if (box.index !== undefined && !(box.fold && box.kind !== "controller" && box.kind !== "pipe")) select(box.index);
    else if (box.fold) toggle(box.fold);
  };
  return (
    <div
      className={`box ${box.kind} ${box.status}${isSelected ? " selected" : ""}${box.isOpen ? " open" : ""}`}
      style={{ width: box.width, height: box.height }}
      onClick={(event) => {
        event.stopPropagation();
        onClick();
      }}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="box-title">
        <StatusMark status={box.status} />
        <button className="box-name" aria-label={`${box.title}, ${box.status.replace("_", " ")}`}>
          {box.title}
        </button>
        {box.isOpen && box.kind === "batch" && <span className="box-detail">{inWords(run, box.members ?? [])}</span>}
        {box.fold && box.kind !== "more" && (
          <button
            className="fold"
            aria-label={`${box.isOpen ? "Fold" : "Unfold"} ${box.title}`}
            onClick={(event) => {
              event.stopPropagation();
              toggle(box.fold!);
            }}
          >
            {box.isOpen ? "–" : "+"}
          </button>
        )}
      </div>
      {!(box.isOpen && box.kind !== "pipe") && <BoxDetail box={box} run={run} />}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

function BoxDetail({ box, run }: { box: Box; run: Run }) {
  if (box.kind === "more") return <div className="box-detail">show all</div>;
  if (box.members && box.kind === "batch") return <States run={run} members={box.members} />;
  if (box.index === undefined) return null;
  const node = run.node(box.index);
  const totals = run.totals[box.index]!;
  const parts = [
    node.reused ? "reused" : "",
    duration(time(node.ended) - time(node.started)),
    totals.models.length === 1 ? totals.models[0] : totals.models.length ? `${totals.models.length} models` : "",
    money(totals.cost),
  ].filter(Boolean);
  return (
    <>
      <div className="box-type">{node.type}{box.members ? ` · ${box.members.length} inside` : ""}</div>
      <div className="box-detail">{parts.join(" · ")}</div>
    </>
  );
}

/** How the items of a batch ended, as a bar and in words. */
export function States({ run, members }: { run: Run; members: readonly number[] }) {
  const counts = [...run.counts(members)];
  return (
    <>
      <div className="bar" aria-hidden="true">
        {counts.map(([status, number]) => (
          <span key={status} className={status} style={{ flexGrow: number }} />
        ))}
      </div>
      <div className="box-detail" title={inWords(run, members)}>
        {inWords(run, members)}
      </div>
    </>
  );
}
