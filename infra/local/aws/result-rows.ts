/** Reads pages of the CSV results of Athena. Pure. */

export interface ResultRows {
  rows: (string | null)[][]
  /** The first octet after the rows; null after the last row. */
  next: number | null
}

const [quote, comma, lineFeed] = [0x22, 0x2c, 0x0a]

/**
 * @param csv each value is quoted or, for null, absent; lines end with LF
 * @param start the first octet of a row
 * @param count number of rows
 */
export function readResultRows(csv: Buffer, start: number, count: number): ResultRows {
  const rows: (string | null)[][] = []
  let position = start
  while (rows.length < count && position < csv.length) {
    const row: (string | null)[] = []
    do {
      const end = endOfValue(csv, position)
      row.push(end === position ? null : csv.toString('utf8', position + 1, end - 1).replaceAll('""', '"'))
      position = end + 1
    } while (csv[position - 1] === comma)
    rows.push(row)
  }
  return { rows, next: position < csv.length ? position : null }
}

/** @returns the octet after a value */
function endOfValue(csv: Buffer, start: number): number {
  if (csv[start] !== quote) return start
  let end = csv.indexOf(quote, start + 1)
  while (csv[end + 1] === quote) end = csv.indexOf(quote, end + 2)
  if (end < 0 || ![comma, lineFeed].includes(csv[end + 1] ?? lineFeed))
    throw new Error(`the value at octet ${start} of the result does not end`)
  return end + 1
}
