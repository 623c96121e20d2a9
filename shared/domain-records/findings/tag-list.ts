/** Parses tag lists: `v=DMARC1; p=none` (RFC 6376 §3.2). Pure. */

const tagPattern = /^([a-z][a-z0-9_]*)[ \t]*=[ \t]*([\s\S]*)$/i

/** Returns the values by tag, in order; null when a part is no tag, or a tag is repeated. */
export function parseTagList(text: string): Map<string, string> | null {
  const tags = new Map<string, string>()
  const parts = text.split(';').map((part) => part.trim())
  if (parts.at(-1) === '') parts.pop()
  for (const part of parts) {
    const [, name, value] = tagPattern.exec(part) ?? []
    if (name === undefined || value === undefined || tags.has(name)) return null
    tags.set(name, value)
  }
  return tags
}
