/** Numbers and lists for sentences. */

/** `1 message`, `2 messages`. */
export const counted = (count: number, singular: string, plural = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** The first names, and the number of the others: `a, b, c and 2 more`. */
export function firstOf(names: readonly string[], most: number): string {
  const more = names.length > most ? ` and ${names.length - most} more` : ''
  return `${names.slice(0, most).join(', ')}${more}`
}

/** For prose: `a, b and c`. */
export function few(names: readonly string[], most = 3): string {
  if (names.length < 2 || names.length > most) return firstOf(names, most)
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
