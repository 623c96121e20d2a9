/** Formats numbers and lists for sentences. */

/** `1 message`, `2 messages`. */
export const countText = (count: number, singular: string, plural = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** The first names, and the number of the rest: `a, b, c and 2 more`. */
export function firstNames(names: readonly string[], maxNames: number): string {
  const restText = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return `${names.slice(0, maxNames).join(', ')}${restText}`
}

/** A list as prose: `a, b and c`. */
export function proseList(names: readonly string[], maxNames = 3): string {
  if (names.length < 2 || names.length > maxNames) return firstNames(names, maxNames)
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
