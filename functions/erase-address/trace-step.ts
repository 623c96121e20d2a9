/**
 * The step that looks into the messages table. It scans the whole table: replies and ORCPT parameters may name the address
 * in items of other recipients, which no index shows. Five million messages are about USD 0.20.
 */
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import { eraseMessage, type Dependencies as MessageDependencies } from './erase-message.ts'
import type { Item, Key, MessagesTable } from './messages-table.ts'
import type { Part, Step } from './step.ts'
import { isKeyOf, replacedAttributes } from './traced-item.ts'

export interface Dependencies extends MessageDependencies {
  table: Pick<MessagesTable, 'scan' | 'partition' | 'put' | 'replace' | 'delete'>
}

const isMessageId = (pk: string): boolean => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(pk)
const isRejection = ({ pk }: Key): boolean => pk.startsWith('rejected#')

export const traceStep = (address: ErasedAddress, dependencies: Dependencies): Step => ({
  async *run(after) {
    for await (const { items, last } of dependencies.table.scan(after as Key | null))
      yield { ...(await eraseItems(items, address, dependencies)), after: last }
  },
})

async function eraseItems(
  items: readonly Item[],
  address: ErasedAddress,
  dependencies: Dependencies,
): Promise<Omit<Part, 'after'>> {
  const { table } = dependencies
  const found = items.filter(
    (item) => isKeyOf(item, address) || Object.keys(replacedAttributes(item, address)).length > 0,
  )
  const rejections = found.filter(isRejection)
  await table.delete(rejections)
  const erased = { rejections: rejections.length, messages: 0, contents: 0 }
  const unsettled: string[] = []
  let isIncomplete = false
  for (const id of new Set(found.map(({ pk }) => pk).filter(isMessageId))) {
    const result = await eraseMessage(id, address, dependencies)
    if (result.kind === 'Unsettled') unsettled.push(result.id)
    else {
      if (result.items > 0) erased.messages += 1
      erased.contents += result.contents
      isIncomplete ||= result.isIncomplete
    }
  }
  // Values that messages share, such as a client certificate.
  for (const item of found.filter((each) => !isMessageId(each.pk) && !isRejection(each))) {
    await table.replace(item, replacedAttributes(item, address))
    isIncomplete = true
  }
  return { erased, unsettled, isIncomplete }
}
