/** Which roles may send which request, written by hand so that a change of the code cannot change it. */
import type { Role } from '../../shared/contract/roles.ts'

const everyRole: readonly Role[] = ['read', 'operate', 'administer', 'audit']
const operators: readonly Role[] = ['operate', 'administer']
const administrators: readonly Role[] = ['administer']

export const allowedRoles: Readonly<Record<string, readonly Role[]>> = {
  'GET /inbound-connectors': everyRole,
  'POST /inbound-connectors': administrators,
  'GET /inbound-connectors/{id}': everyRole,
  'PUT /inbound-connectors/{id}': administrators,
  'PATCH /inbound-connectors/{id}': administrators,
  'DELETE /inbound-connectors/{id}': administrators,
  'POST /inbound-connectors/{id}/retry': operators,
  'POST /inbound-connectors/{id}/validate': operators,
  'GET /outbound-connectors': everyRole,
  'POST /outbound-connectors': administrators,
  'GET /outbound-connectors/{id}': everyRole,
  'PUT /outbound-connectors/{id}': administrators,
  'PATCH /outbound-connectors/{id}': administrators,
  'DELETE /outbound-connectors/{id}': administrators,
  'POST /outbound-connectors/{id}/retry': operators,
  'POST /outbound-connectors/{id}/release': operators,
  'POST /outbound-connectors/{id}/return': operators,
  'POST /outbound-connectors/{id}/validate': operators,
  'GET /accepted-domains': everyRole,
  'GET /accepted-domains/{domain}': everyRole,
  'PUT /accepted-domains/{domain}': administrators,
  'PATCH /accepted-domains/{domain}': administrators,
  'DELETE /accepted-domains/{domain}': administrators,
  'GET /configuration': everyRole,
  'GET /messages': everyRole,
  'GET /messages/{id}': everyRole,
  'POST /messages/retry': operators,
  'POST /messages/{id}/retry': operators,
  'POST /messages/{id}/release': operators,
  'POST /messages/{id}/return': operators,
  'GET /dead-letters': operators,
  'POST /dead-letters/redrive': operators,
  'GET /tls-reports': everyRole,
  'GET /tls-reports/{id}': everyRole,
  'GET /certificates': everyRole,
  'GET /certificates/observed': everyRole,
  'POST /explain': everyRole,
  'GET /openapi.json': everyRole,
}
