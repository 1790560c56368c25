/*
 * json_field KEY - prints that value of each line of stdin, each an object of JSON: strings as they
 * are, everything else as JSON. Ends with 1 at the first line that is no object, or has no such
 * key.
 *
 * lib.sh calls it hundreds of times: an interpreter takes fifty times as long to start.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int print_value(const json_t *value)
{
    if (json_is_string(value)) {
        fwrite(json_string_value(value), 1, json_string_length(value), stdout);
    } else if (json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) != 0) {
        return -1;
    }
    return putchar('\n') == EOF ? -1 : 0;
}

static int print_of_line(const char *line, const char *key)
{
    json_error_t error;
    json_t *object = json_loads(line, JSON_ALLOW_NUL, &error);
    const json_t *value = json_object_get(object, key);
    int rc = -1;

    if (!object) {
        fprintf(stderr, "json_field: this is no JSON, %s: %s", error.text, line);
    } else if (!value) {
        fprintf(stderr, "json_field: there is no %s in: %s", key, line);
    } else {
        rc = print_value(value);
    }
    json_decref(object);
    return rc;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;

    if (argc != 2) {
        fputs("usage: json_field KEY <OBJECTS\n", stderr);
        return 2;
    }
    while (rc == 0 && getline(&line, &size, stdin) > 0) {
        rc = print_of_line(line, argv[1]);
    }
    free(line);
    return rc == 0 && fflush(stdout) == 0 ? 0 : 1;
}
