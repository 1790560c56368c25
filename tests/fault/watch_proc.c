#include "tests/fault/watch_proc.h"

#include <dirent.h>
#include <stdio.h>

static unsigned long count_entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned long n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

bool proc_sample(pid_t pid, struct proc_sample *ret)
{
    struct proc_sample now = {0};
    char path[64], line[256];
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    in = fopen(path, "re");
    if (!in)
        return false;
    while (fgets(line, sizeof(line), in)) {
        if (sscanf(line, "Rss: %lu", &now.rss_kib) != 1)
            (void)!sscanf(line, "Pss: %lu", &now.pss_kib);
    }
    fclose(in);
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    now.n_fds = count_entries(path);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    now.n_threads = count_entries(path);
    if (!now.rss_kib || !now.n_threads)
        return false;
    *ret = now;
    return true;
}

void proc_sample_max(struct proc_sample *max, const struct proc_sample *now)
{
    max->rss_kib = MAX(max->rss_kib, now->rss_kib);
    max->pss_kib = MAX(max->pss_kib, now->pss_kib);
    max->n_fds = MAX(max->n_fds, now->n_fds);
    max->n_threads = MAX(max->n_threads, now->n_threads);
}
