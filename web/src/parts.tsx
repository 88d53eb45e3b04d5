import { useEffect, useRef, useState, type ReactNode } from "react";
import { flushSync } from "react-dom";
import type { Status } from "./model";

const MARKS: Record<Status, string> = {
  completed: "✓",
  failed: "✗",
  timed_out: "✗",
  running: "●",
  cancelled: "■",
  terminated: "■",
  skipped: "–",
  not_run: "○",
};

export function StatusMark({ status }: { status: Status }) {
  return (
    <span className={`mark ${status}`} title={status.replace("_", " ")} aria-hidden="true">
      {MARKS[status]}
    </span>
  );
}

/** Rows that are printed of a list, at most. */
const PRINTED = 2_000;

/** A list of any length of rows of one height: only those in sight are there. */
export function Rows({
  count,
  height,
  row,
  focus,
  role,
  label,
  onKeyDown,
}: {
  count: number;
  height: number;
  /** The row of a rank, with the id that its element gets. */
  row: (index: number, id: string) => ReactNode;
  focus?: number;
  role: "tree" | "listbox";
  label: string;
  onKeyDown?: (event: React.KeyboardEvent) => void;
}) {
  const area = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState(600);
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setRoom(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const element = area.current;
    if (!element || focus === undefined || focus < 0) return;
    if (focus * height < element.scrollTop) element.scrollTop = focus * height;
    else if ((focus + 1) * height > element.scrollTop + element.clientHeight)
      element.scrollTop = (focus + 1) * height - element.clientHeight;
    setTop(element.scrollTop);
  }, [focus, height]);
  const isPrinting = usePrinting();
  const first = isPrinting ? 0 : Math.max(0, Math.floor(top / height) - 10);
  const last = isPrinting ? Math.min(count, PRINTED) : Math.min(count, Math.ceil((top + room) / height) + 10);
  const shown: ReactNode[] = [];
  for (let index = first; index < last; index += 1) shown.push(row(index, `row-${index}`));
  return (
    <div
      className="rows"
      ref={area}
      tabIndex={0}
      role={role}
      aria-label={label}
      aria-activedescendant={focus !== undefined && first <= focus && focus < last ? `row-${focus}` : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div style={{ height: isPrinting ? last * height : count * height, position: "relative" }}>
        <div style={{ position: "absolute", top: first * height, left: 0, right: 0 }}>{shown}</div>
      </div>
    </div>
  );
}

/** Whether the page is being printed. */
function usePrinting(): boolean {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    const before = () => flushSync(() => setPrinting(true));
    const after = () => setPrinting(false);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);
  return isPrinting;
}
