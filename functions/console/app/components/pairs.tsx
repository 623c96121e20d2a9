/** Labels with their values, in fewer columns where values would not fit. */
import KeyValuePairs, { type KeyValuePairsProps } from '@cloudscape-design/components/key-value-pairs'

/** Fits a host name, or a date with its time. */
const minColumnWidth = 195

export const Pairs = ({ columns, items }: Pick<KeyValuePairsProps, 'columns' | 'items'>) => (
  <KeyValuePairs {...(columns !== undefined && { columns })} minColumnWidth={minColumnWidth} items={items} />
)
