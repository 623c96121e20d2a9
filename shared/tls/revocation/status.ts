export { Revocation, RevocationSource } from '../../contract/revocation.ts'
