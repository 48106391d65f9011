import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { taskRoutes } from '../functions/tasks/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { roomTable } from './kit/room-table.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** What is to happen later: tasks, their routes, and the worker that fires them. */
export class Tasks extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      tasks: roomTable(this, 'Tasks', {
        name: 'tasks',
        settings,
        indexes: { listing: [], due: [] },
      }),
    };
    const routes = apiFunction(this, 'tasks/api', settings);
    api.mount(routes, taskRoutes);
    const onDue = new NodeFunction(this, 'OnDue', {
      entry: 'tasks/on-due',
      settings,
      // Of two hundred transactions of one account each waits for those before it.
      timeout: Duration.minutes(1),
      memoryMb: 1_024,
      impact: 'Tasks fire late.',
    });
    this.functions = { 'tasks/api': routes, 'tasks/on-due': onDue };
    this.queues = {
      tasks: new WorkQueue(this, 'tasks', {
        name: 'tasks',
        settings,
        worker: onDue,
        // More have to be gathered for a while, on a quiet queue for up to twenty seconds.
        batchSize: 10,
        impact: 'Some tasks fire late, or not at all.',
      }).queue,
    };
  }
}
