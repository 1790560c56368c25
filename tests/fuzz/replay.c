/*
 * main() for the harnesses where libFuzzer is not: gives them files, and prints TAP.
 *
 *     fuzz_NAME [FILE | DIRECTORY]...
 *
 * Without arguments: the corpus of that name in the source tree. Each input's name is printed
 * before it is tried, so that the last one is the culprit.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static unsigned n_inputs;

static void die(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void replay_file(const char *path)
{
    FILE *in = fopen(path, "re");
    struct stat st;
    uint8_t *data;
    size_t size;

    if (!in || fstat(fileno(in), &st) < 0)
        die(path);
    size = (size_t)st.st_size;
    data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, in) != size)
        die(path);
    fclose(in);
    printf("# %s\n", path);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    n_inputs++;
    free(data);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_directory(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, is_visible, alphasort);
    char file[PATH_MAX];

    if (n < 0)
        die(path);
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        replay_file(file);
        free(names[i]);
    }
    free(names);
}

static void replay(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        die(path);
    if (S_ISDIR(st.st_mode))
        replay_directory(path);
    else
        replay_file(path);
}

/* tests/fuzz/fuzz_codec has tests/fuzz/corpus/codec. */
static void corpus_path(const char *program, char path[PATH_MAX])
{
    const char *top = getenv("AWD_TOP_SRCDIR"), *name = strstr(program, "fuzz_");

    for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
        name = next;
    if (!name) {
        errno = ENOENT;
        die(program);
    }
    snprintf(path, PATH_MAX, "%s/tests/fuzz/corpus/%s", top ? top : ".", name + strlen("fuzz_"));
}

int main(int argc, char **argv)
{
    char corpus[PATH_MAX];

    corpus_path(argv[0], corpus);
    if (argc < 2)
        replay(corpus);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%s 1 - %s: %u inputs break nothing\n1..1\n", n_inputs ? "ok" : "not ok",
           strrchr(corpus, '/') + 1, n_inputs);
    return n_inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
