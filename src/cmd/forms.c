/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forms of results: see forms.h. */
#include "forms.h"

#include <string.h>

#include "../base/error.h"
#include "../base/options.h"
#include "cmd.h"

GOptionEntry *forms_entries(Forms *forms, const GOptionEntry *own)
{
    const GOptionEntry common[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &forms->json, "Print the result as JSON", NULL },
        { "csv", 0, 0, G_OPTION_ARG_NONE, &forms->csv, "Print the result as comma-separated values", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return options_join(own, common);
}

bool forms_check(const Forms *forms, GError **error)
{
    return !forms->json || !forms->csv || mt_fail_usage(error, "--json and --csv can't both be used");
}

char *forms_format(const Forms *forms, const Report *report, bool pretty)
{
    return forms->json ? report_as_json(report, pretty) : forms->csv ? report_as_csv(report) : report_as_text(report);
}

bool forms_print(const Forms *forms, const Report *report, GError **error)
{
    g_autofree char *text = forms_format(forms, report, true);

    return cmd_print(text, strlen(text), error);
}
