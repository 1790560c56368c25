/* The manual pages against the code: every command, option, symbol and error code is there. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "client/awctl/awctl.h"

/* A file of the source tree, whole. */
static char *file_read(const char *name)
{
    const char *top = getenv("srcdir");
    char path[4096], *text = calloc(1, 1 << 20);
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s is not there (srcdir says where the sources are)", path);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
    fclose(f);
    return text;
}

/* Whether `word` stands in the page behind `macro`, or in a list behind it, as a word. */
static bool says(const char *page, const char *macro, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = strstr(page, macro); p; p = strstr(p + 1, macro)) {
        const char *end = strchrnul(p, '\n');

        for (const char *w = strstr(p, word); w && w < end; w = strstr(w + 1, word))
            if (strchr(" -", w[-1]) && strchr(" \n", w[len]))
                return true;
    }
    return false;
}

static void options_are_said(const char *page, const struct opt *opts, size_t n, const char *of)
{
    for (size_t i = 0; i < n; i++) {
        char long_name[64];

        snprintf(long_name, sizeof(long_name), "-%s", opts[i].name);
        ck_assert_msg(says(page, "Fl ", long_name), "awctl.1 lacks --%s of %s", opts[i].name, of);
        if (opts[i].letter) {
            char letter[8] = {'F', 'l', ' ', opts[i].letter, '\0'};

            ck_assert_msg(strstr(page, letter) != NULL, "awctl.1 lacks -%c of %s", opts[i].letter,
                          of);
        }
    }
}

static void commands_are_said(const char *page, const struct command *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(says(page, "Cm ", list[i]->name), "awctl.1 lacks the command %s",
                      list[i]->name);
        options_are_said(page, list[i]->opts, list[i]->n_opts, list[i]->name);
        commands_are_said(page, list[i]->subs, list[i]->n_subs);
    }
}

START_TEST(awctls_page_has_every_command_and_option)
{
    char *page = file_read("client/awctl.1");

    options_are_said(page, common_opts, n_common_opts, "all commands");
    commands_are_said(page, commands, n_commands);
    free(page);
}
END_TEST

START_TEST(awctls_page_has_every_state_and_class)
{
    char *page = file_read("client/awctl.1");

#define X(NAME, num, name, text) ck_assert_msg(strstr(page, name), "awctl.1 lacks %s", name);
    AW_STATE_MAP(X)
    AW_CLASS_MAP(X)
#undef X
    free(page);
}
END_TEST

START_TEST(libaws_page_and_header_have_every_symbol_that_is_exported)
{
    char *map = file_read("client/libaw.map"), *page = file_read("client/libaw.3");
    char *header = file_read("client/aw.h"), *save = NULL;
    size_t n = 0;

    for (char *line = strtok_r(map, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[64], in_page[80], in_header[80], *sized;

        if (sscanf(line, "\taw_%60[a-z_];", name) != 1)
            continue;
        snprintf(in_header, sizeof(in_header), "aw_%s(", name);
        sized = strstr(name, "_sized"); /* called by a macro of the shorter name */
        if (sized)
            *sized = '\0';
        snprintf(in_page, sizeof(in_page), ".Fn aw_%s ", name);
        ck_assert_msg(strstr(page, in_page), "libaw.3 lacks %s", name);
        ck_assert_msg(strstr(header, in_header), "aw.h lacks %s", name);
        n++;
    }
    ck_assert_uint_gt(n, 40);
    free(map);
    free(page);
    free(header);
}
END_TEST

static Suite *doc_suite(void)
{
    Suite *s = suite_create("client doc");
    TCase *t = tcase_create("doc");

    tcase_add_test(t, awctls_page_has_every_command_and_option);
    tcase_add_test(t, awctls_page_has_every_state_and_class);
    tcase_add_test(t, libaws_page_and_header_have_every_symbol_that_is_exported);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(doc_suite());
}
