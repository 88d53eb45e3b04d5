import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Details, ProblemView } from "./Details";
import { bytes, clock, count, duration, money } from "./format";
import { Graph } from "./Graph";
import { isFailure, type Run, time } from "./model";
import { StatusMark } from "./parts";
import { Timeline } from "./Timeline";
import { Tree } from "./Tree";
import { FileLink, ValueView } from "./ValueView";

const VIEWS = ["Result", "Graph", "Tree", "Timeline"] as const;
type View = (typeof VIEWS)[number];
/** Replays of the run that are named. */
const REPLAYS_SHOWN = 5;

export function App({ run }: { run: Run }) {
  const { run: facts, files } = run.document;
  const result = run.value(run.document.result);
  const [view, setView] = useState<View>(() => chosenView() ?? (result && facts.status === "completed" ? "Result" : "Graph"));
  const [selected, setSelected] = useState<number | undefined>(() => firstFailure(run));
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [query, setQuery] = useState("");
  const [isDark, setDark] = useTheme();
  const search = useRef<HTMLInputElement>(null);
  const toggle = useCallback(
    (fold: string) =>
      setOpen((known) => {
        const next = new Set(known);
        if (!next.delete(fold)) next.add(fold);
        return next;
      }),
    [],
  );
  const select = useCallback((index: number) => setSelected(index), []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement;
      if (event.key === "Escape") {
        const isInDetails = document.activeElement?.closest(".details") != null;
        setSelected(undefined);
        if (isTyping) (event.target as HTMLInputElement).blur();
        if (isInDetails) (document.querySelector<HTMLElement>(".rows") ?? document.querySelector<HTMLElement>("[aria-selected=true]"))?.focus();
      } else if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        const picked = VIEWS[Number(event.key) - 1];
        if (picked) setView(picked);
        if (event.key === "/") {
          event.preventDefault();
          setView("Tree");
          requestAnimationFrame(() => search.current?.focus());
        }
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  const onTabKey = (event: React.KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = by === undefined ? undefined : VIEWS[(VIEWS.indexOf(view) + by + VIEWS.length) % VIEWS.length];
    if (next === undefined) return;
    setView(next);
    (event.currentTarget.children[VIEWS.indexOf(next)] as HTMLElement).focus();
  };
  const totals = run.totals[0];
  return (
    <div className="app">
      <header className="top">
        <div className="title">
          <h1>
            <StatusMark status={facts.status} /> {facts.pipe.slice(facts.pipe.lastIndexOf(".") + 1)}
          </h1>
          <span className="faint">
            {[
              facts.status.replace("_", " "),
              duration((Number.isNaN(time(facts.ended)) ? run.ended : time(facts.ended)) - time(facts.started)),
              run.ran ? `${count(run.ran)} pipe run${run.ran === 1 ? "" : "s"}` : "",
              run.reused ? `${count(run.reused)} reused` : "",
              totals?.calls ? `${count(totals.calls)} call${totals.calls === 1 ? "" : "s"}` : "",
              totals?.calls ? `${count(totals.inputTokens + totals.outputTokens)} tokens` : "",
              money(totals?.cost ?? null),
            ]
              .filter(Boolean)
              .join(" · ")}
          </span>
        </div>
        <div className="views">
          <div role="tablist" aria-label="Views" onKeyDown={onTabKey}>
            {VIEWS.map((name, rank) => (
              <button
                key={name}
                role="tab"
                aria-selected={view === name}
                tabIndex={view === name ? 0 : -1}
                onClick={() => setView(name)}
                title={`${name} (${rank + 1})`}
              >
                {name}
              </button>
            ))}
          </div>
          <button className="theme" aria-label={isDark ? "Light colours" : "Dark colours"} onClick={() => setDark(!isDark)}>
            {isDark ? "☀" : "☾"}
          </button>
        </div>
        <p className="where faint">
        run <code>{facts.id}</code> · {facts.orchestrator} · {clock(facts.started)}
        {facts.replays !== undefined && (
          <>
            {" "}
            · replays <code>{facts.replays}</code>
          </>
        )}
        {(facts.replayed ?? []).length > 0 && (
          <>
            {" "}
            · replayed by{" "}
            {facts.replayed!.slice(0, REPLAYS_SHOWN).map((id) => (
              <code key={id}>{id}</code>
            ))}
            {facts.replayed!.length > REPLAYS_SHOWN && ` and ${count(facts.replayed!.length - REPLAYS_SHOWN)} more`}
          </>
        )}
        {(facts.links ?? []).map((link) => (
          <a key={link.href} href={link.href} target="_blank" rel="noopener noreferrer">
            {link.label}
          </a>
        ))}
        </p>
      </header>
      {facts.error && <ProblemView problem={facts.error} />}
      {facts.waiting && <p className="note">{facts.waiting}</p>}
      <main className={selected === undefined ? "" : "with-details"}>
        <div className="view" role="tabpanel" aria-label={view}>
          {view === "Result" && (
            <div className="result">
              {result ? <ValueView value={result} files={files ?? []} /> : <p className="empty">This run has no result{facts.status === "running" ? " yet" : ""}.</p>}
              {(files ?? []).length > 0 && (
                <section>
                  <h3>Files</h3>
                  <ul className="files">
                    {(files ?? []).map((file) => (
                      <li key={file.href}>
                        <FileLink file={file} />{" "}
                        <span className="faint">
                          {file.mime_type} {bytes(file.size)}
                        </span>
                      </li>
                    ))}
                  </ul>
                </section>
              )}
            </div>
          )}
          {view === "Graph" && <Graph run={run} open={open} selected={selected} toggle={toggle} select={select} isDark={isDark} />}
          {view === "Tree" && (
            <>
              <input
                ref={search}
                type="search"
                className="search"
                placeholder="Search pipes, models, states, errors  (/)"
                aria-label="Search"
                value={query}
                onChange={(event) => setQuery(event.target.value)}
              />
              <Tree run={run} query={query} selected={selected} select={select} />
            </>
          )}
          {view === "Timeline" && <Timeline run={run} selected={selected} select={select} />}
        </div>
        {selected !== undefined && <Details key={selected} run={run} index={selected} close={() => setSelected(undefined)} />}
      </main>
    </div>
  );
}

function chosenView(): View | undefined {
  const name = location.hash.slice(1).toLowerCase();
  return VIEWS.find((view) => view.toLowerCase() === name);
}

/** The innermost pipe that failed. */
function firstFailure(run: Run): number | undefined {
  let found: number | undefined;
  run.document.nodes.forEach((node, index) => {
    if (isFailure(node.status) && (found === undefined || run.above(index).includes(found))) found = index;
  });
  return found;
}

function useTheme(): [boolean, (isDark: boolean) => void] {
  const preferred = useMemo(() => window.matchMedia("(prefers-color-scheme: dark)").matches, []);
  const [isDark, setDark] = useState(preferred);
  useEffect(() => {
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
  }, [isDark]);
  return [isDark, setDark];
}
