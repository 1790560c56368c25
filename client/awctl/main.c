#include "client/awctl/awctl.h"

int main(int argc, char **argv)
{
    return awctl_main(argc, argv);
}
