/* Writes the fixtures of this folder with libfann 2.2:
 *   cc fixtures.c -lfloatfann -lm && ./a.out
 * For each network: the file that fann_save writes, and inputs with the outputs of fann_run. */
#include <floatfann.h>
#include <stdio.h>
#include <stdlib.h>

static void save(struct fann *ann, const char *name)
{
	char path[64];
	unsigned inputs = fann_get_num_input(ann), outputs = fann_get_num_output(ann);
	FILE *file;
	fann_type x[16];
	snprintf(path, sizeof path, "%s.net", name);
	fann_save(ann, path);
	snprintf(path, sizeof path, "%s.out", name);
	file = fopen(path, "w");
	for (int row = 0; row < 12; row++) {
		for (unsigned i = 0; i < inputs; i++) {
			x[i] = (rand() % 2001 - 1000) / 250.0f;
			fprintf(file, "%.9g ", x[i]);
		}
		fann_type *y = fann_run(ann, x);
		for (unsigned i = 0; i < outputs; i++)
			fprintf(file, "%.9g ", y[i]);
		fprintf(file, "\n");
	}
	fclose(file);
	fann_destroy(ann);
}

int main(void)
{
	struct fann *ann;
	char name[64];
	/* Every activation function, at three steepnesses. */
	for (int f = 0; f < 18; f++) {
		ann = fann_create_standard(3, 3, 6, 2);
		fann_randomize_weights(ann, -2, 2);
		for (int n = 0; n < 6; n++) {
			fann_set_activation_function(ann, (enum fann_activationfunc_enum)f, 1, n);
			fann_set_activation_steepness(ann, 0.25f * (n % 3 + 1), 1, n);
		}
		fann_set_activation_function_output(ann, (enum fann_activationfunc_enum)f);
		snprintf(name, sizeof name, "function%d", f);
		save(ann, name);
	}
	ann = fann_create_sparse(0.4f, 4, 5, 9, 6, 2);
	fann_randomize_weights(ann, -1, 1);
	save(ann, "sparse");
	ann = fann_create_shortcut(4, 3, 4, 2, 2);
	fann_randomize_weights(ann, -1, 1);
	save(ann, "shortcut");
	/* A cascade of different functions. */
	ann = fann_create_shortcut(2, 2, 1);
	struct fann_train_data *data = fann_create_train(4, 2, 1);
	for (int i = 0; i < 4; i++) {
		data->input[i][0] = i & 1;
		data->input[i][1] = i >> 1;
		data->output[i][0] = (i & 1) ^ (i >> 1);
	}
	fann_cascadetrain_on_data(ann, data, 4, 0, 0.0001f);
	fann_save_train(data, "xor.data");
	save(ann, "cascade");
	/* Where s * x is bounded by 150 / s: linear, Elliot, sine. */
	ann = fann_create_standard(2, 1, 4);
	fann_set_activation_function(ann, FANN_LINEAR, 1, 0);
	fann_set_activation_function(ann, FANN_ELLIOT, 1, 1);
	fann_set_activation_function(ann, FANN_ELLIOT_SYMMETRIC, 1, 2);
	fann_set_activation_function(ann, FANN_SIN_SYMMETRIC, 1, 3);
	fann_randomize_weights(ann, 150, 1500);
	save(ann, "bounds");
	return 0;
}
