/** @returns undefined when the text is not JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Describes an error of JSON.parse in one line, without the text that was parsed.
 * @returns such as `Expected ',' or '}' after property value (line 2 column 5)`; not every error has a place
 */
export function jsonFault({ message }: Error): string {
  const [, place = ''] = / at position \d+( \(line \d+ column \d+\))$/.exec(message) ?? []
  return `${message.split(/ in JSON at |, (?=\.*")/)[0]}${place}`
}
