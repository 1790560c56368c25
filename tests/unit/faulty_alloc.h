/*
 * faulty_alloc.h - memory that is lacking, once, where a test wants it.
 *
 * A program with this is linked with CALLOC_FAULTY (tests/local.mk): its own calls of
 * calloc() come here, those of libraries do not. Each thread counts for itself.
 */
#ifndef AW_FAULTY_ALLOC_H
#define AW_FAULTY_ALLOC_H

/* The nth call of calloc() from now on fails, 1 being the next; the others do not. 0: none does. */
void faulty_alloc_at(unsigned nth);

#endif
