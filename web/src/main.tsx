import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Run, type RunDocument } from "./model";
import "./styles.css";

/** Seconds between two looks at a run that goes on. */
const EVERY = 2;

function Page({ first }: { first: RunDocument }) {
  const [document_, setDocument] = useState(first);
  const live = document_.run.status === "running" ? document_.run.live : undefined;
  useEffect(() => {
    if (live === undefined) return;
    const timer = setInterval(() => {
      void fetch(live)
        .then((answer) => (answer.ok ? (answer.json() as Promise<RunDocument>) : undefined))
        .then((next) => next && setDocument(next))
        .catch(() => undefined); // the server is away for a moment, or for good: what is shown stays
    }, EVERY * 1000);
    return () => clearInterval(timer);
  }, [live]);
  return <App run={new Run(document_)} />;
}

function read(): RunDocument | string {
  const text = document.getElementById("run")?.textContent ?? "";
  try {
    const found = JSON.parse(text) as RunDocument;
    return found.version === 1 ? found : `This page holds a run of version ${String(found.version)}, which it cannot show.`;
  } catch {
    return "This page holds no run.";
  }
}

const found = read();
createRoot(document.getElementById("app")!).render(
  <StrictMode>{typeof found === "string" ? <p className="empty">{found}</p> : <Page first={found} />}</StrictMode>,
);
