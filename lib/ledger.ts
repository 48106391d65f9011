import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ledgerRoutesOf } from '../functions/ledger/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { type AnyTable, roomTable } from './kit/room-table.ts';
import { StreamSource } from './kit/stream-source.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** The statements are written from the stream of the outbox, which belongs to a room above. */
export interface LedgerProps extends RoomProps {
  readonly outbox: AnyTable;
}

/** Money: accounts, their immutable journal, and the statements that are projected from it. */
export class Ledger extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;
  readonly parked;

  constructor(scope: Construct, id: string, { settings, api, outbox }: LedgerProps) {
    super(scope, id);
    this.tables = {
      ledger: roomTable(this, 'Ledger', {
        name: 'ledger',
        settings,
        indexes: { listing: [], due: [], reference: [] },
      }),
      statements: roomTable(this, 'Statements', { name: 'statements', settings, indexes: {} }),
    };
    const apis = {
      'ledger/api': apiFunction(this, 'ledger/api', settings),
      'ledger/read-api': apiFunction(this, 'ledger/read-api', settings),
    };
    api.mount(apis['ledger/api'], ledgerRoutesOf['ledger/api']);
    api.mount(apis['ledger/read-api'], ledgerRoutesOf['ledger/read-api']);

    const onPosted = new NodeFunction(this, 'OnPosted', {
      entry: 'ledger/on-posted',
      settings,
      timeout: Duration.seconds(30),
      memoryMb: 512,
      impact: 'Statements and the balances of derived accounts are behind.',
    });
    const stream = new StreamSource(this, 'Stream', {
      outbox,
      worker: onPosted,
      parked: 'Unprojected',
      types: ['transaction.', 'hold.'],
      impact: 'Some statements end before an entry that is missing in them.',
      impactOfLag: 'Statements and the balances of derived accounts are minutes behind.',
    });
    const onHold = new NodeFunction(this, 'OnHold', {
      entry: 'ledger/on-hold',
      settings,
      timeout: Duration.seconds(30),
      memoryMb: 512,
      impact: 'Holds expire late.',
    });
    this.queues = {
      'hold-expiry': new WorkQueue(this, 'hold-expiry', {
        name: 'hold-expiry',
        settings,
        worker: onHold,
        batchSize: 10,
        impact: 'Some holds expire late.',
      }).queue,
    };
    this.parked = { 'ledger/on-posted': stream.parked };
    this.functions = {
      ...apis,
      'ledger/on-posted': onPosted,
      'ledger/on-hold': onHold,
    };
  }
}
