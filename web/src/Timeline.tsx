import { useMemo } from "react";
import { duration } from "./format";
import { type Run, time } from "./model";
import { Rows, StatusMark } from "./parts";

const HEIGHT = 26;

/** When each pipe ran, in the order they began. */
export function Timeline({ run, selected, select }: { run: Run; selected: number | undefined; select: (index: number) => void }) {
  const order = useMemo(
    () =>
      run.document.nodes
        .map((node, index) => ({ index, from: time(node.started), to: time(node.ended) }))
        .filter((each) => !Number.isNaN(each.from))
        .sort((one, other) => one.from - other.from || one.index - other.index),
    [run],
  );
  const end = Number.isNaN(run.ended) ? Date.now() : Math.max(run.ended, run.started + 1);
  const span = end - run.started;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  if (!order.length) return <p className="empty">Nothing has started yet.</p>;
  return (
    <div className="timeline">
      <div className="ticks" aria-hidden="true">
        <span className="line-name" />
        <span className="track">
          {ticks.map((part) => (
            <span key={part} style={{ left: `${part * 100}%` }}>
              {duration(part * span)}
            </span>
          ))}
        </span>
      </div>
      <Rows
        count={order.length}
        height={HEIGHT}
        focus={order.findIndex((each) => each.index === selected)}
        role="listbox"
        label="Timeline of the run"
        onKeyDown={(event) => {
          const at = order.findIndex((each) => each.index === selected);
          const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: order.length - 1 }[event.key];
          if (event.key === "Enter") document.querySelector<HTMLElement>(".details")?.focus();
          const next = to === undefined ? undefined : order[Math.max(0, Math.min(order.length - 1, to))];
          if (next) {
            event.preventDefault();
            select(next.index);
          }
        }}
        row={(rank, id) => {
          const { index, from, to } = order[rank]!;
          const node = run.node(index);
          const until = Number.isNaN(to) ? end : to;
          const left = ((from - run.started) / span) * 100;
          const width = Math.max(((until - from) / span) * 100, 0.15);
          return (
            <div
              key={index}
              id={id}
              role="option"
              aria-selected={index === selected}
              className={`line${index === selected ? " selected" : ""}`}
              style={{ height: HEIGHT }}
              onClick={() => select(index)}
            >
              <span className="line-name">
                <StatusMark status={node.status} />
                <span className="line-label">{run.label(index)}</span>
              </span>
              <span className="track">
                <span className={`span ${node.status}`} style={{ left: `${left}%`, width: `${width}%` }} title={duration(until - from)} />
                {(node.effects ?? []).map((effect, number) => {
                  const start = time(effect.started);
                  if (Number.isNaN(start)) return null;
                  const stop = Number.isNaN(time(effect.ended)) ? end : time(effect.ended);
                  return (
                    <span
                      key={number}
                      className={`call ${effect.status}`}
                      style={{ left: `${((start - run.started) / span) * 100}%`, width: `${Math.max(((stop - start) / span) * 100, 0.15)}%` }}
                      title={`${effect.summary} · ${duration(stop - start)}`}
                    />
                  );
                })}
              </span>
            </div>
          );
        }}
      />
    </div>
  );
}
