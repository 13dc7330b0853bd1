/* queue: see queue.h. */
#include "queue.h"

#include <stdlib.h>

int queue_init(struct queue *q, size_t size)
{
    *q = (struct queue){.items = calloc(size, sizeof *q->items), .size = size};
    return q->items ? 0 : -1;
}

void queue_release(struct queue *q)
{
    free(q->items);
    *q = (struct queue){0};
}

int64_t queue_first_ms(const struct queue *q)
{
    return q->n ? q->items[0].due_ms : INT64_MAX;
}

void queue_push(struct queue *q, int64_t due_ms, uint32_t index)
{
    size_t at = q->n;

    if (q->n == q->size)
        abort(); /* an endpoint was queued twice */
    q->n++;
    while (at > 0 && q->items[(at - 1) / 2].due_ms > due_ms) {
        q->items[at] = q->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    q->items[at] = (struct queue_item){due_ms, index};
}

uint32_t queue_pop(struct queue *q)
{
    uint32_t first = q->items[0].index;
    struct queue_item last = q->items[--q->n];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < q->n) {
        if (child + 1 < q->n && q->items[child + 1].due_ms < q->items[child].due_ms)
            child++;
        if (q->items[child].due_ms >= last.due_ms)
            break;
        q->items[at] = q->items[child];
        at = child;
    }
    q->items[at] = last;
    return first;
}
