/**
 * Packs the fields of an item that no condition needs, so that the item stays below 1 KB, the unit in which DynamoDB
 * bills writes (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html). The packed
 * form is a version, one octet, and JSON that is deflated with the preset dictionary of that version. The dictionary holds what most details contain, so that short details become short.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { detailDictionaries } from './detail-dictionaries.ts'

const currentVersion = detailDictionaries.length - 1

/** `memLevel` 9 keeps a short detail in one block with one Huffman table. */
const options = { level: 9, memLevel: 9 } as const

export function packDetail(detail: object): Uint8Array {
  const dictionary = dictionaryOf(currentVersion)
  const packed = deflateRawSync(JSON.stringify(detail), { ...options, dictionary })
  return Buffer.concat([Buffer.of(currentVersion), packed])
}

/** @throws Error for octets that no version has packed */
export function unpackDetail(packed: Uint8Array): unknown {
  const dictionary = dictionaryOf(packed[0])
  return JSON.parse(inflateRawSync(packed.subarray(1), { dictionary }).toString())
}

function dictionaryOf(version: number | undefined): Buffer {
  const dictionary = detailDictionaries[version ?? -1]
  if (dictionary === undefined) throw new Error(`a detail is packed with the unknown dictionary ${version}`)
  return dictionary
}
