import { useState } from "react";
import { clock, count, duration, money } from "./format";
import { type Effect, type Problem, type Run, time } from "./model";
import { StatusMark } from "./parts";
import { Copy, ValueView } from "./ValueView";

/** Calls that are shown at first; a pipe has many where those it runs are no workflows of their own. */
const CALLS_SHOWN = 50;
/** Calls whose prompts are in sight at once. */
const CALLS_OPEN = 5;

/** Everything known of one pipe run. */
export function Details({ run, index, close }: { run: Run; index: number; close: () => void }) {
  const node = run.node(index);
  const facts = run.facts(index);
  const totals = run.totals[index]!;
  const output = run.value(node.output);
  const effects = node.effects ?? [];
  const attempts = effects.reduce((most, effect) => Math.max(most, effect.attempts ?? 1), 0);
  const [shown, setShown] = useState(CALLS_SHOWN);
  return (
    <aside className="details" tabIndex={-1} aria-label={`Details of ${run.label(index)}`}>
      <header>
        <h2>
          <StatusMark status={node.status} /> {run.label(index)}
        </h2>
        <button onClick={close} aria-label="Close details">
          ✕
        </button>
      </header>
      <p className="faint">
        {node.type} · <code>{node.pipe}</code>
      </p>
      {facts?.description && <p>{facts.description}</p>}
      {node.error && <ProblemView problem={node.error} />}
      {node.reused !== undefined && (
        <p className="note">
          Nothing was called: the result is that of {node.reused === run.document.run.id ? "an equal call of this run" : <>run <code>{node.reused}</code></>}.
        </p>
      )}
      {node.gone && <p className="note">The server keeps its history no longer: what is here is what the pipe around it knows.</p>}
      <dl className="facts">
        <Fact name="Started" value={clock(node.started)} />
        <Fact name="Took" value={duration(time(node.ended) - time(node.started))} />
        <Fact name="Model" value={run.models(index).join(", ")} />
        <Fact name="Calls" value={totals.calls ? count(totals.calls) : ""} />
        <Fact name="Attempts" value={attempts > 1 ? count(attempts) : ""} />
        <Fact name="Tokens" value={totals.calls ? `${count(totals.inputTokens)} in, ${count(totals.outputTokens)} out` : ""} />
        <Fact name="Cost" value={money(totals.cost)} />
        <Fact name="Outcome" value={node.outcome ?? ""} />
        <Fact name="Id" value={node.id} isCode />
      </dl>
      {output && (
        <section>
          <h3>Output</h3>
          <ValueView value={output} files={run.document.files ?? []} />
        </section>
      )}
      {node.absent !== undefined && <p className="note">No output: {node.absent.replaceAll("_", " ")}.</p>}
      {Object.keys(node.inputs ?? {}).length > 0 && (
        <section>
          <h3>Inputs</h3>
          {Object.entries(node.inputs ?? {}).map(([name, id]) => {
            const value = run.value(id);
            return (
              <details key={name} open={Object.keys(node.inputs ?? {}).length === 1}>
                <summary>{name}</summary>
                {value ? <ValueView value={value} files={run.document.files ?? []} /> : <p className="faint">Not on this page.</p>}
              </details>
            );
          })}
        </section>
      )}
      {effects.length > 0 && (
        <section>
          <h3>Calls</h3>
          {effects.slice(0, shown).map((effect, number) => (
            <Call key={number} effect={effect} isOpen={effects.length <= CALLS_OPEN} />
          ))}
          {effects.length > shown && (
            <button onClick={() => setShown(shown + 10 * CALLS_SHOWN)}>{`Show more (${count(effects.length - shown)} left)`}</button>
          )}
        </section>
      )}
      {(facts?.prompt || facts?.system_prompt || facts?.expression) && (
        <section>
          <h3>As written</h3>
          {facts.system_prompt && <Written name="System prompt" text={facts.system_prompt} />}
          {facts.prompt && <Written name="Prompt" text={facts.prompt} />}
          {facts.expression && <Written name="Expression" text={facts.expression} />}
        </section>
      )}
    </aside>
  );
}

function Fact({ name, value, isCode = false }: { name: string; value: string; isCode?: boolean }) {
  if (!value) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{isCode ? <code>{value}</code> : value}</dd>
    </div>
  );
}

export function ProblemView({ problem }: { problem: Problem }) {
  return (
    <div className="problem" role="alert">
      <p>{problem.detail}</p>
      {problem.advice && <p className="advice">{withCode(problem.advice)}</p>}
      <p className="faint">
        <code>{problem.code}</code>
        {problem.provider && ` · ${problem.provider}`}
        {problem.model && ` · ${problem.model}`}
        {problem.attempts !== undefined && problem.attempts > 1 && ` · ${problem.attempts} attempts`}
      </p>
    </div>
  );
}

/** Commands and settings stand between backticks in the texts of reports. */
function withCode(text: string) {
  return text.split("`").map((part, rank) => (rank % 2 ? <code key={rank}>{part}</code> : part));
}

function Call({ effect, isOpen }: { effect: Effect; isOpen: boolean }) {
  const { usage, prompt } = effect;
  const parts = [
    duration(time(effect.ended) - time(effect.started)),
    effect.model ?? usage?.handle ?? "",
    usage ? `${count(usage.input_tokens ?? 0)} in, ${count(usage.output_tokens ?? 0)} out` : "",
    money(usage?.cost_usd ?? null),
    (effect.attempts ?? 1) > 1 ? `${effect.attempts} attempts` : "",
    effect.cached ? "from the cache" : "",
    effect.queue ? `queue ${effect.queue}` : "",
  ].filter(Boolean);
  return (
    <details className="call-details" open={effect.error !== undefined || (isOpen && prompt !== undefined)}>
      <summary>
        <StatusMark status={effect.status} /> {effect.summary || effect.name}
      </summary>
      <p className="faint">
        {parts.join(" · ")} · <code>{effect.name}</code>
      </p>
      {effect.error && <ProblemView problem={effect.error} />}
      {prompt?.system && <Written name="System prompt, as sent" text={prompt.system} />}
      {prompt?.user && <Written name="Prompt, as sent" text={prompt.user} />}
      {((prompt?.images ?? 0) > 0 || (prompt?.documents ?? 0) > 0) && (
        <p className="faint">
          With {prompt?.images ?? 0} images and {prompt?.documents ?? 0} documents.
        </p>
      )}
    </details>
  );
}

function Written({ name, text }: { name: string; text: string }) {
  return (
    <div className="written">
      <div className="value-head">
        <span className="faint">{name}</span>
        <Copy text={() => text} />
      </div>
      <pre>{text}</pre>
    </div>
  );
}
