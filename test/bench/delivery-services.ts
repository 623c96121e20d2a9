/** DynamoDB, S3 and SQS for a measured process, in this process. Prints their endpoints, as JSON, when they listen. */
import { startDynamoDb } from '../support/dynamodb.ts'
import { startS3AndSqs } from '../support/fake-s3-sqs.ts'

const [database, storage] = await Promise.all([startDynamoDb(), startS3AndSqs()])
console.log(JSON.stringify({ database: database.endpoint, storage: storage.url }))
