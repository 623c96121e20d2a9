/** `recipients remove`: removes addresses from the list of a domain's recipients. */
import { changeRecipients } from '../recipients/change-recipients.ts'

export const removeRecipients = changeRecipients('remove')
