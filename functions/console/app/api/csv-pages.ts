/** Joins the pages of a list as CSV. */

/** A page of a list as CSV. */
export interface CsvPage {
  text: string
  /** Null on the last page. */
  nextCursor: string | null
}

/** 200 messages each. */
const maxPages = 50

/**
 * Reads all pages.
 * @returns the text, with one line of headings, and whether there are more pages than were read
 */
export async function readCsv(
  readPage: (cursor: string | undefined) => Promise<CsvPage>,
): Promise<{ text: string; isComplete: boolean }> {
  let page = await readPage(undefined)
  let { text } = page
  for (let pages = 1; page.nextCursor !== null && pages < maxPages; pages += 1) {
    page = await readPage(page.nextCursor)
    text += page.text.slice(page.text.indexOf('\n') + 1)
  }
  return { text, isComplete: page.nextCursor === null }
}

/** Reads the cursor of the header `link` (RFC 8288) with which the API names the next page. */
export function nextCursorOf(link: string | null): string | null {
  const [, target] = /<([^>]*)>;\s*rel="?next"?/.exec(link ?? '') ?? []
  if (target === undefined) return null
  return new URL(target, 'https://gateway.invalid').searchParams.get('cursor')
}
