/* queue: endpoints by when they are due (a binary heap of indices and times). */
#ifndef FIREBREAK_FLEET_QUEUE_H
#define FIREBREAK_FLEET_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue {
    struct queue_item {
        int64_t due_ms;
        uint32_t index;
    } * items;
    size_t n, size;
};

int queue_init(struct queue *q, size_t size); /* 0 or -1: out of memory */
void queue_release(struct queue *q);
/* At most `size` at a time; each endpoint is in it once, or in flight, or gone. */
void queue_push(struct queue *q, int64_t due_ms, uint32_t index);
uint32_t queue_pop(struct queue *q);           /* not empty */
int64_t queue_first_ms(const struct queue *q); /* INT64_MAX: empty */

#endif
