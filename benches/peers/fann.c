/* libfann on one thread: PROGRAM MODE NETWORK DATA
 * MODE is incremental, rprop or run, which print samples per second of at least half a second, or
 * outputs, which prints what fann_run gives for every sample. */
#include <floatfann.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct fann *ann;
	struct fann_train_data *data;
	unsigned long samples = 0;
	double start;
	if (argc != 4)
		return 2;
	ann = fann_create_from_file(argv[2]);
	data = fann_read_train_from_file(argv[3]);
	if (!ann || !data)
		return 1;
	unsigned n = fann_length_train_data(data);
	if (!strcmp(argv[1], "outputs")) {
		for (unsigned i = 0; i < n; i++) {
			fann_type *y = fann_run(ann, data->input[i]);
			for (unsigned j = 0; j < fann_get_num_output(ann); j++)
				printf("%.9g ", y[j]);
			printf("\n");
		}
		return 0;
	}
	int run = !strcmp(argv[1], "run");
	fann_set_train_error_function(ann, FANN_ERRORFUNC_LINEAR);
	fann_set_learning_rate(ann, 0.1f);
	fann_set_training_algorithm(
		ann, strcmp(argv[1], "rprop") ? FANN_TRAIN_INCREMENTAL : FANN_TRAIN_RPROP);
	start = now();
	while (now() - start < 0.5) {
		if (run)
			for (unsigned i = 0; i < n; i++)
				fann_run(ann, data->input[i]);
		else
			fann_train_epoch(ann, data);
		samples += n;
	}
	printf("%.1f\n", samples / (now() - start));
	return 0;
}
