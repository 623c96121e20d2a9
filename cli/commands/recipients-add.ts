/** `recipients add`: adds addresses to the list of a domain's recipients. */
import { changeRecipients } from '../recipients/change-recipients.ts'

export const addRecipients = changeRecipients('add')
