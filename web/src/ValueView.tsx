import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { useMemo, useState, type ReactNode } from "react";
import { count, words } from "./format";
import type { Json, RunFile, Value } from "./model";

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true });

type Table = { [key: string]: Json };

/** A value as a person reads it, with its JSON one click away. */
export function ValueView({ value, files }: { value: Value; files: readonly RunFile[] }) {
  const [isRaw, setRaw] = useState(false);
  return (
    <div className="value">
      <div className="value-head">
        <span className="concept">{value.concept}</span>
        <span className="actions">
          <button onClick={() => setRaw(!isRaw)} aria-pressed={isRaw}>
            {isRaw ? "Rendered" : "JSON"}
          </button>
          <Copy text={() => (typeof value.content === "string" ? value.content : JSON.stringify(value.content, null, 2))} />
        </span>
      </div>
      {isRaw ? <pre className="json">{JSON.stringify(value.content, null, 2)}</pre> : <Content content={value.content} files={files} concept={value.concept} />}
      {value.left_out !== undefined && value.left_out > 0 && (
        <p className="faint">{count(value.left_out)} more characters are in the run's files, not on this page.</p>
      )}
    </div>
  );
}

export function Copy({ text }: { text: () => string }) {
  const [isDone, setDone] = useState(false);
  return (
    <button
      onClick={() => {
        void navigator.clipboard?.writeText(text()).then(() => {
          setDone(true);
          setTimeout(() => setDone(false), 1200);
        });
      }}
    >
      {isDone ? "Copied" : "Copy"}
    </button>
  );
}

function Content({ content, files, concept }: { content: Json; files: readonly RunFile[]; concept: string }): ReactNode {
  if (typeof content === "string") return <Text text={content} />;
  if (content === null || typeof content !== "object") return <p className="scalar">{String(content)}</p>;
  if (Array.isArray(content)) return <List items={content} files={files} concept={concept} />;
  const keys = Object.keys(content);
  if (keys.length === 1 && Array.isArray(content["items"])) return <List items={content["items"]} files={files} concept={concept} />;
  return <Record content={content} files={files} concept={concept} />;
}

const TEXT_KEYS = ["text", "html", "mermaid_code"];

function Record({ content, files, concept }: { content: Table; files: readonly RunFile[]; concept: string }) {
  const native = concept.replace(/\[\]$/, "").split(".").pop() ?? "";
  const keys = Object.keys(content).filter((key) => content[key] !== null);
  if (native === "Text" && keys.length === 1 && typeof content["text"] === "string") return <Text text={content["text"]} />;
  if ((native === "Html" || typeof content["inner_html"] === "string") && typeof content["inner_html"] === "string")
    return <Html html={content["inner_html"]} />;
  if (native === "Number" && keys.length === 1) return <p className="scalar">{String(content["number"])}</p>;
  if (typeof content["url"] === "string" && isMedia(content, native)) return <Media content={content} files={files} isImage={isImage(content, native)} />;
  return (
    <dl className="record">
      {keys.map((key) => (
        <div key={key}>
          <dt>{words(key)}</dt>
          <dd>
            <Content content={content[key]!} files={files} concept={TEXT_KEYS.includes(key) ? "native.Text" : ""} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function isMedia(content: Table, native: string): boolean {
  return native === "Image" || native === "Document" || "mime_type" in content || /^(data:|pipelex-storage:)/.test(String(content["url"]));
}

function isImage(content: Table, native: string): boolean {
  return native === "Image" || String(content["mime_type"] ?? "").startsWith("image/");
}

/** A link that downloads a file under its own name; a browser shows what lies beside a local page in a tab of its own. */
export function FileLink({ file }: { file: RunFile }) {
  return (
    <a href={file.data ?? file.href} download={file.name} target={file.data === undefined ? "_blank" : undefined} rel="noopener">
      {file.name}
    </a>
  );
}

/** A picture or a file of the run; nothing is ever loaded from elsewhere. */
function Media({ content, files, isImage }: { content: Table; files: readonly RunFile[]; isImage: boolean }) {
  const url = String(content["url"]);
  const name = String(content["filename"] ?? url.split("/").pop() ?? "file");
  const file = files.find((each) => each.name === name || each.href === url);
  const address = file?.data ?? file?.href ?? url;
  const isHere = file !== undefined || url.startsWith("data:image/");
  const caption = typeof content["caption"] === "string" ? content["caption"] : undefined;
  return (
    <figure className="media">
      {isImage && isHere && <img src={address} alt={caption ?? name} loading="lazy" />}
      <figcaption>
        {file ? (
          <FileLink file={file} />
        ) : (
          <code>{url.startsWith("data:") ? `${url.slice(0, 40)}…` : url}</code>
        )}
        {caption && <span> {caption}</span>}
      </figcaption>
    </figure>
  );
}

/** Rows of records are a table; anything else is a numbered list. */
function List({ items, files, concept }: { items: Json[]; files: readonly RunFile[]; concept: string }) {
  const [shown, setShown] = useState(100);
  const columns = useMemo(() => columnsOf(items), [items]);
  const some = items.slice(0, shown);
  const rest = items.length - some.length;
  if (!items.length) return <p className="faint">An empty list.</p>;
  return (
    <>
      {columns ? (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th className="rank">#</th>
                {columns.map((key) => (
                  <th key={key} className={typeof (items[0] as Table)[key] === "number" ? "number" : ""}>
                    {words(key)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {some.map((item, rank) => (
                <tr key={rank}>
                  <td className="rank">{rank + 1}</td>
                  {columns.map((key) => (
                    <td key={key} className={typeof (item as Table)[key] === "number" ? "number" : ""}>
                      <Cell value={(item as Table)[key]} files={files} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <ol className="items">
          {some.map((item, rank) => (
            <li key={rank}>
              <Content content={item} files={files} concept={concept.replace(/\[\]$/, "")} />
            </li>
          ))}
        </ol>
      )}
      {rest > 0 && <button onClick={() => setShown(shown + 500)}>{`Show more (${count(rest)} left)`}</button>}
    </>
  );
}

function Cell({ value, files }: { value: Json | undefined; files: readonly RunFile[] }) {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value.length > 200 || value.includes("\n") ? <Text text={value} /> : <>{value}</>;
  if (typeof value !== "object") return <>{String(value)}</>;
  if (Array.isArray(value) && value.every(isShort)) return <>{value.join(", ")}</>;
  return <Content content={value} files={files} concept="" />;
}

function isShort(value: Json): boolean {
  return typeof value === "string" ? value.length <= 60 && !value.includes("\n") : value !== null && typeof value !== "object";
}

/** The columns of a list of records, or nothing where it is none. */
function columnsOf(items: Json[]): string[] | undefined {
  const keys = new Set<string>();
  for (const item of items.slice(0, 200)) {
    if (item === null || typeof item !== "object" || Array.isArray(item)) return undefined;
    for (const key of Object.keys(item)) if (item[key] !== null) keys.add(key);
  }
  const columns = [...keys];
  if (columns.length < 2 || columns.length > 12 || columns.includes("url") || columns.includes("page_view")) return undefined;
  return columns;
}

function Text({ text }: { text: string }) {
  const rendered = useMemo(() => clean(markdown.render(text)), [text]);
  return <div className="prose" dangerouslySetInnerHTML={{ __html: rendered }} />;
}

function Html({ html }: { html: string }) {
  const rendered = useMemo(() => clean(html), [html]);
  return <div className="prose" dangerouslySetInnerHTML={{ __html: rendered }} />;
}

/** Nothing that runs, loads, submits or refreshes; pictures only where their bytes are in the text itself. */
function clean(html: string): string {
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "iframe", "object", "embed", "meta", "link", "base", "audio", "video", "source"],
    FORBID_ATTR: ["style", "srcset", "background", "id", "name", "class"],
  });
}

DOMPurify.addHook("afterSanitizeAttributes", (element) => {
  if (element.tagName === "IMG" && !/^data:image\/(png|jpeg|gif|webp);/.test(element.getAttribute("src") ?? "")) element.removeAttribute("src");
  if (element.tagName === "TABLE") element.setAttribute("tabindex", "0"); // a wide one is scrolled by keys, too
  if (element.tagName === "A") {
    if (!/^https?:/.test(element.getAttribute("href") ?? "")) element.removeAttribute("href");
    element.setAttribute("target", "_blank");
    element.setAttribute("rel", "noopener noreferrer nofollow");
  }
});
