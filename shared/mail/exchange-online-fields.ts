/**
 * Reads the header fields in which Exchange Online names the tenant that sent a message. The attack: another tenant
 * spells a field so that Exchange Online does not replace it, and mailflow reads it. The defence: every field that a
 * lenient reader may take for one of these counts, but only the plain spelling has a value. A field also has no value
 * after a line that some readers take for the begin of the body. Not covered: that Exchange Online replaces the plain
 * spelling is observed, not documented.
 */
import type { ExchangeOnlineFields } from '../contract/authentication.ts'
import { fieldName, headerFields } from './header-fields.ts'

const tenantIdField = 'x-ms-exchange-crosstenant-id'
const organizationField = 'x-originatororg'

/** In place of a value that must not identify a tenant. It is neither a tenant id nor a domain. */
export const unusableValue = 'unusable field'

/** Two instances show that a field is repeated. */
const maxInstances = 2
/** In characters; a domain has fewer. */
const maxValueLength = 255

/**
 * @param header the header section of a message
 * @param isNormalised whether bare CR, bare LF or NUL of the header were replaced: then Exchange Online has read other
 *   fields, and no field has a value
 */
export function readExchangeOnlineFields(
  header: Buffer,
  isNormalised = false,
): Pick<ExchangeOnlineFields, 'tenantIds' | 'originatorOrganizations'> {
  const tenantIds: string[] = []
  const originatorOrganizations: string[] = []
  let isReadable = !isNormalised
  for (const field of headerFields(header.toString('latin1'))) {
    const name = fieldName(field)
    const instances =
      name === tenantIdField ? tenantIds : name === organizationField ? originatorOrganizations : null
    if (instances !== null && instances.length < maxInstances)
      instances.push(isReadable && isPlain(field, name) ? fieldValue(field) : unusableValue)
    isReadable &&= readableField.test(field)
  }
  return { tenantIds, originatorOrganizations }
}

const isPlain = (field: string, name: string | null): boolean =>
  field.slice(0, field.indexOf(':')).toLowerCase() === name && !unprintable.test(field)

const unprintable = /[^\t\r\n -~]/

/** RFC 5322 §3.6.8, with the white space of §4.5.8. A server such as Postfix begins the body at any other line. */
const readableField = /^[!-9;-~]+[ \t]*:/

/** RFC 5322 §2.2.3: unfolding removes the line ends. */
const fieldValue = (field: string): string =>
  field
    .slice(field.indexOf(':') + 1)
    .replaceAll('\r\n', '')
    .trim()
    .toLowerCase()
    .slice(0, maxValueLength)
